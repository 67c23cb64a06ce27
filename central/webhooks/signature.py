"""Signing what is sent, as the Standard Webhooks specification 1.0 says, so that any of its libraries can verify it."""

import base64
import binascii
import hashlib
import hmac

from contracts.errors import Rejected

PREFIX = "whsec_"
LEAST, MOST = 24, 64
"""Bytes of a secret."""


def written(secret: bytes) -> str:
    """Return a secret as people pass it on."""
    return PREFIX + base64.b64encode(secret).decode()


def read(text: str) -> bytes:
    """Return the bytes of a secret.

    Raises
    ------
    Rejected
        It is none; the secret is not repeated.
    """
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as e:
        raise Rejected("secret", "…", f"`{PREFIX}` and base64") from e
    if not text.startswith(PREFIX) or not LEAST <= len(secret) <= MOST:
        raise Rejected("secret", "…", f"`{PREFIX}` and the base64 of {LEAST} to {MOST} bytes")
    return secret


def headers(secret: bytes, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers: id, time in seconds, and the HMAC-SHA256 of ``id.time.body``."""
    signed = hmac.new(secret, f"{message_id}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }

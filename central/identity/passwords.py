"""Passwords, hashed with argon2id away from the event loop."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from contracts.runtime.clock import real

_hasher = PasswordHasher()
_NOBODY = _hasher.hash("nobody has this password")


async def hashed(password: str) -> str:
    """Return what is stored of a password."""
    return await real(asyncio.to_thread(_hasher.hash, password))


async def matches(password: str, stored: str | None) -> bool:
    """Say whether a password is the stored one; takes as long for a name that nobody has (None)."""
    same = await real(asyncio.to_thread(_verify, password, stored or _NOBODY))
    return same and stored is not None


def _verify(password: str, stored: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except VerificationError:
        return False

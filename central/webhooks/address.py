"""Where a webhook may go: to public addresses only, checked at every delivery and not by name alone.

A name that is public today may be our own database tomorrow (DNS rebinding), so the address that was checked is the one
that is connected to.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

import msgspec

from contracts.errors import Rejected

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Target(msgspec.Struct, frozen=True):
    """An address that may be connected to, and how the receiver is called."""

    url: str
    """With the address in place of the name."""
    host: str
    """What the Host header says."""
    name: str
    """What TLS asks for."""


def is_public(address: Address) -> bool:
    """Say whether an address is of the public internet; one that wraps another is judged by what it wraps."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def check_url(url: str, *, internal: bool) -> tuple[str, int]:
    """Return host and port of a URL that events may be sent to.

    Parameters
    ----------
    internal
        Whether private addresses and plain HTTP are allowed.

    Raises
    ------
    Rejected
        It is none; says why.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as e:
        raise Rejected("url", url, f"a URL ({e})") from e
    schemes = {"https", "http"} if internal else {"https"}
    if parts.scheme not in schemes or not parts.hostname or not url.isascii() or not url.isprintable() or " " in url:
        raise Rejected("url", url, f"an {' or '.join(sorted(schemes, reverse=True))} URL with a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Rejected("url", url.replace(parts.netloc, parts.hostname), "a URL without user, password and fragment")
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


async def resolve(url: str, *, internal: bool) -> Target:
    """Find the address of a URL now.

    Raises
    ------
    Rejected
        It may not be sent to, or one of its addresses is not public.
    OSError
        The name is not known.
    """
    host, port = check_url(url, internal=internal)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError as e:
        raise Rejected("url", url, f"a URL with a host that can be looked up ({e})") from e
    addresses = [ipaddress.ip_address(str(f[4][0]).partition("%")[0]) for f in found]
    if not internal:
        for address in addresses:
            if not is_public(address):
                raise Rejected("url", url, f"at a public address; {host} is {address} (setting `webhook_internal`)")
    parts, first = urlsplit(url), addresses[0]
    literal = f"[{first}]" if first.version == 6 else str(first)
    return Target(parts._replace(netloc=f"{literal}:{port}").geturl(), parts.netloc, host)

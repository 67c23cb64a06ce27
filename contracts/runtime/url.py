"""URLs of servers, as they are given in settings."""

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from contracts.errors import Rejected


def server(field: str, url: str, schemes: Collection[str], bound: str) -> SplitResult:
    """Take a server's URL apart.

    Parameters
    ----------
    field
        How an error names it.
    bound
        What would be accepted, in words.

    Raises
    ------
    Rejected
        It has another scheme, no host (neither before the path nor as ``?host=``), or a port that is no port; the error
        shows no user and no password.
    """
    shown = url.rpartition("@")[2]
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - reading it judges it
    except ValueError as e:
        raise Rejected(field, shown, f"{bound} ({e})") from e
    if parts.scheme not in schemes or not (parts.hostname or "host=" in parts.query):
        raise Rejected(field, shown, bound)
    return parts

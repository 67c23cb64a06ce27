"""Preconditions of a change (RFC 9110): the ETag that its author has seen must still be the resource's."""

import hashlib
from typing import Annotated, Any

import msgspec
from fastapi import Header

from central.problems import Refusal

IfMatch = Annotated[
    str | None,
    Header(max_length=200, description="The ETag of what is changed, as it was last read; `*`: whatever it is"),
]


def tag(*values: Any) -> str:
    """Return what an ETag of a resource with these values is made of."""
    return hashlib.md5(msgspec.json.encode(values), usedforsecurity=False).hexdigest()


def check(if_match: str | None, tag: str, *, needed: bool = True) -> None:
    """Compare what was seen with what is there.

    Raises
    ------
    Refusal
        428: nothing was given though it is needed. 412: it is another one by now.
    """
    if if_match is None:
        if needed:
            raise Refusal(428, 'If-Match is needed: read the resource and send its ETag, or "*"')
        return
    given = {x.strip() for x in if_match.split(",")}
    if "*" not in given and f'"{tag}"' not in given:
        raise Refusal(412, "If-Match: somebody has changed it since; read it again")

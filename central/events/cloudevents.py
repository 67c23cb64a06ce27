"""A row of the event log as a CloudEvent 1.0 in JSON, structured mode."""

from datetime import datetime
from typing import Any

import msgspec

from contracts.ids import SiteId


class CloudEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """The attributes that we set; `correlationid` is an extension."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    data: msgspec.Raw
    correlationid: str = ""


def cloud_event(site: SiteId, row: Any) -> bytes:
    """Write one row of `event`; the same row gives the same bytes."""
    return msgspec.json.encode(
        CloudEvent(
            specversion="1.0",
            id=str(row["seq"]),
            source=f"/floorplane/{site}",
            type=row["type"],
            subject=row["subject"],
            time=row["at"],
            datacontenttype="application/json",
            data=msgspec.Raw((row["data"] or "null").encode()),
            correlationid=row["correlation"],
        )
    )

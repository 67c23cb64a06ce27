"""A hand task as it is answered, and what a person says of it."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from central.hands.asks import Ask, asks_of
from central.moment import Moment, kept
from central.orders.model import Name
from central.reason import Overrule

HandState = Literal["open", "leased", "done", "cancelled", "undone"]
Kind = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$", examples=["putaway"])]
Scan = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Pieces = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
Said = Scan | int | bool | Annotated[list[Scan], Field(max_length=500)] | None
_LARGE = 2**53


class HandTask(BaseModel):
    """Work for a person with a handheld, as it stands."""

    id: str
    kind: str = Field(description="receive, putaway, replenish, move, count, pick, load, grade, …")
    state: HandState
    priority: int = Field(description="Higher is more urgent")
    due: datetime | None
    item: str | None
    barcode: str | None = Field(description="Of the item")
    name: str | None = Field(description="Of the item")
    lot: str
    owner: str
    status: str = Field(description="Of the pieces: ok | quality | hold | damaged")
    qty: int | None
    source: str | None = Field(description="Where from")
    target: str | None = Field(description="Where to")
    ref: str | None = Field(description="What it is for: a notice, an order, a shipment")
    detail: dict[str, Any] = Field(description="What the room of its kind keeps with it")
    asks: list[Ask] = Field(description="What a person scans and types to confirm it, step by step")
    attempt: int = Field(description="Grows with each lease; a confirmation names it")
    person: str | None = Field(description="Who has it, or had it last")
    lease_until: datetime | None
    done_qty: int | None
    done_by: str | None
    reason: str
    moves: list[int] = Field(description="Rows of the ledger that its confirmation posted")
    created_at: datetime
    closed_at: datetime | None


class KindOfWork(BaseModel):
    """A kind of work for people."""

    kind: str
    open: int = Field(description="Tasks that nobody has, and this person could do")


class Next(BaseModel):
    """Who wants work, and of which kinds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kinds": ["putaway", "replenish"], "person": "anna"}]})

    kinds: list[Kind] = Field(min_length=1, max_length=50)
    person: Name | None = Field(None, description="Who does it; whoever is logged in when absent")
    scan: Scan = Field("", description="Only a task that this names: its id, what it is for, one of its places")
    lease_s: int = Field(900, ge=30, le=86_400, strict=True, description="After so many seconds it is given to others")


class Take(BaseModel):
    """Who wants this task, or more time for it."""

    person: Name | None = Field(None, description="Who does it; whoever is logged in when absent", examples=["anna"])
    lease_s: int = Field(900, ge=30, le=86_400, strict=True)


class Confirm(BaseModel):
    """What was done, as it was scanned; the answers to `asks` by their names, also those that only its kind knows."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"attempt": 1, "item": "4006381333931", "qty": 12, "target": "R-01-2"}]},
    )
    __pydantic_extra__: dict[str, Said] = Field(init=False)

    attempt: int = Field(ge=1, le=2_000_000_000, strict=True, description="Of the lease")
    person: Name | None = Field(None, description="Who has done it; must be who has the lease")
    qty: Pieces | None = None
    item: Scan | None = Field(None, description="Item id or barcode")
    source: Scan | None = None
    target: Scan | None = None
    lot: Scan | None = None
    overrule: Overrule | None = None
    expiry: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] | None = None
    reason: Scan | None = None

    @field_validator("expiry")
    @classmethod
    def _a_day(cls, day: str | None) -> str | None:
        if day is not None:
            kept(date.fromisoformat(day))
        return day

    @model_validator(mode="after")
    def _sane(self) -> "Confirm":
        extra = self.__pydantic_extra__ or {}
        if len(extra) > 30:
            raise ValueError("at most 30 further answers")
        for key, value in extra.items():
            if not key.isascii() or not key.isprintable() or len(key) > 40:
                raise ValueError("further answers have names of at most 40 printable ASCII characters")
            if isinstance(value, int) and abs(value) > _LARGE:
                raise ValueError(f"{key}: a number of at most {_LARGE}")
        return self

    def said(self) -> str:
        """Return what is given to the room of the kind, as JSON: what was answered, nothing that was not."""
        told = self.model_dump(exclude={"attempt", "person"}, exclude_none=True)
        return json.dumps(told)


class GiveBack(BaseModel):
    """A task given back."""

    attempt: int = Field(ge=1, le=2_000_000_000, strict=True, description="Of the lease")
    reason: Scan = Field("", description="Why it was not done")


class Why(BaseModel):
    """Why it is withdrawn or undone."""

    reason: Annotated[
        str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["the wrong shelf"])
    ]


class HandChange(BaseModel):
    """How urgent it is."""

    priority: int | None = Field(None, ge=-1_000, le=1_000, strict=True, examples=[5])
    due: Moment | None = None


class Movement(BaseModel):
    """Goods that a person carries from place to place."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"examples": [{"from": "R-01-2", "to": "R-07-1", "item": "4006381333931", "qty": 12}]},
    )

    origin: Scan = Field(alias="from", min_length=1, description="A bin, a shelf, a lane, a handling unit")
    goal: Scan = Field(alias="to", min_length=1, description="Where to, likewise")
    item: Scan = Field(min_length=1, description="Item id or barcode")
    qty: int = Field(ge=1, le=1_000_000, strict=True)
    lot: Scan = Field("", description="Of the pieces")
    status: Literal["ok", "quality", "hold", "damaged"] = Field("ok", description="Of the pieces")
    later: bool = Field(False, description="Only open the task: somebody else will do it")
    priority: int = Field(0, ge=-1_000, le=1_000, strict=True)
    person: Name | None = Field(None, description="Who carries it; whoever is logged in when absent")
    overrule: Overrule = ""


SHOWN = (
    "SELECT h.*, i.barcode, i.name, CASE WHEN h.state = 'leased' AND h.lease_until <= $1 THEN 'open' ELSE h.state END"
    " AS shown, hand_tag(h.id) AS tag FROM hand_task h LEFT JOIN item i ON i.id = h.item"
)
"""Rows for `shown`; $1: now. A lease that has run out is open, whoever asks first."""


def shown(row: Mapping[str, Any]) -> HandTask:
    """Return a task as it is answered, of a row of `SHOWN`."""
    task = dict(row) | {"detail": json.loads(row["detail"]), "state": row["shown"]}
    if task["state"] == "open":
        task["lease_until"] = None
    return HandTask(**task | {"asks": asks_of(task, row["barcode"], row["name"])})

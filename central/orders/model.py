"""An order as the ERP writes it, and as it is answered."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from central.moment import Moment
from contracts.ids import identifier

MOST_LINES = 500
MOST_PIECES = 100_000
_LONGEST_ID = 49
"""So that a task's id (``P-T-<order>-<n>-<n>``) stays within 64 characters."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


Owner = Annotated[str, StringConstraints(max_length=64, pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]*)?$")]
"""A third party whose goods lie here; empty: the house itself."""


_WAY = r"^([A-Za-z0-9][A-Za-z0-9 ._/-]*)?$"


class LineIn(BaseModel):
    """One line: so many pieces of an item."""

    line: int = Field(ge=1, le=1_000_000, strict=True, description="The ERP's own number of the line")
    item: Name = Field(description="Item id")
    qty: int = Field(ge=1, le=MOST_PIECES, strict=True, description="Pieces")


class OrderIn(BaseModel):
    """An order. Fields that are not known are skipped."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ref": "10956",
                    "due": "2013-12-02T16:00:00Z",
                    "ship_to": "Dock 3",
                    "lines": [
                        {"line": 1, "item": "part04ef2f7", "qty": 1},
                        {"line": 2, "item": "part1fedfcf", "qty": 4},
                        {"line": 3, "item": "serv17", "qty": 5},
                    ],
                }
            ]
        }
    )

    ref: Name = Field(description="What the ERP calls the order; once per source")
    source: Name | None = Field(None, description="Which system it comes from; the token's client when absent")
    due: Moment = Field(description="When it should leave")
    release_at: Moment | None = Field(None, description="Not before this is anything picked; at once when absent")
    reserve_until: Moment | None = Field(
        None, description="Only reserve: nothing is picked until `POST /v1/orders/{id}/release`; given up at this time"
    )
    owner: Owner | None = Field(None, description="Whose goods; the token's owner when absent")
    priority: int = Field(0, ge=0, le=9, description="Higher is more urgent")
    ship_to: str = Field("", max_length=500, pattern=r"^[^\x00]*$", description="Where it goes, in words")
    ship_gln: str = Field("", pattern=r"^(\d{13})?$", description="GLN of where it goes, for its labels")
    ship_postcode: str = Field("", max_length=20, pattern=r"^[^\x00-\x1f]*$", description="Postal code, for its labels")
    carrier: str = Field("", max_length=64, pattern=_WAY, description="Who brings it")
    route: str = Field(
        "", max_length=64, pattern=_WAY, description="It leaves with a truck of this route; absent: when it is packed"
    )
    wave: bool | None = Field(
        None, description="Wait until a wave takes it (`/v1/waves`); absent: as the site is set up"
    )
    customer: str = Field(
        "", max_length=64, pattern=r"^[A-Za-z0-9_-]*$", description="A known customer (`/v1/customers`), if any"
    )
    min_days: int | None = Field(
        None,
        ge=0,
        le=3_650,
        strict=True,
        description="So many days after `due` its goods must still be good; absent: as its customer wants it, else 0",
    )
    backorder: bool = Field(
        False, strict=True, description="What is not there waits for goods that come in; the order stays open for it"
    )
    lines: list[LineIn] = Field(min_length=1, max_length=MOST_LINES)


def order_id(ref: str) -> str:
    """Return the id of an order: its ref where that fits, else one made of it."""
    made = identifier(ref)
    return made if len(made) <= _LONGEST_ID else identifier(f"{ref}/")


class LineOut(BaseModel):
    """A line and where its pieces are."""

    line: int
    item: str
    kind: str = Field(description="stock | service | kit (its parts are lines from 1,000,001)")
    qty: int
    allocated: int = Field(description="Reserved in bins, not picked yet")
    done: int = Field(description="Picked (service: shipped)")
    short: int = Field(description="Not there; will not come")
    cancelled: int = 0


class OrderOut(BaseModel):
    """An order in a list."""

    id: str
    source: str
    ref: str
    owner: str = Field(description="Whose goods; empty: the house's")
    state: str = Field(description="received | allocated | released | picking | packed | shipped | short | cancelled")
    due: datetime
    priority: int
    ship_to: str
    customer: str = ""
    min_days: int = Field(0, description="So many days after `due` its goods must still be good")
    backorder: bool = Field(False, description="Whether what is short of it waits for goods that come in")
    ship_gln: str = ""
    ship_postcode: str = ""
    carrier: str = ""
    route: str = ""
    holds_for: str = Field("", description="What releases it besides time: capacity | wave")
    wave: str | None = Field(None, description="The wave that it belongs to")
    waits: str = Field("", description="Why it is not released yet")
    received_at: datetime
    expires_at: datetime | None = Field(description="When its reservation is given up, unless released")
    released_at: datetime | None
    started_at: datetime | None
    closed_at: datetime | None
    lines: int = Field(description="How many lines")
    qty: int = Field(description="Pieces ordered")
    done: int
    short: int
    totes: int


class OrderTaken(BaseModel):
    """The answer to an order that was taken in."""

    id: str
    source: str
    ref: str
    owner: str = Field("", description="Whose goods; empty: the house's")
    state: str
    due: datetime
    reserved_until: datetime | None = Field(None, description="When the reservation is given up, unless released")
    lines: list[LineOut]
    totes: int
    short: int = Field(description="Pieces that are not there")


class OrderDetail(OrderOut):
    """An order with everything it led to: line → task → robot → ledger → shipment."""

    correlation: str
    order_lines: list[LineOut]
    tote_list: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    shipment: dict[str, Any] | None


class OrderState(BaseModel):
    """How an order stands after a command."""

    id: str
    state: str


class LineChange(BaseModel):
    """A line of an order as it should be: an existing one with another quantity, or a new one."""

    line: int = Field(ge=1, le=1_000_000, strict=True)
    item: Name | None = Field(None, description="Needed for a new line; may not differ for an existing one")
    qty: int = Field(
        ge=0, le=MOST_PIECES, strict=True, description="Pieces; 0 cancels what is not begun (with `put_back` all of it)"
    )


class OrderChange(BaseModel):
    """What should be different; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 5, "lines": [{"line": 2, "qty": 3}]}]})

    due: Moment | None = None
    priority: int | None = Field(None, ge=0, le=9)
    ship_to: str | None = Field(None, max_length=500, pattern=r"^[^\x00]*$")
    lines: list[LineChange] = Field(default_factory=list, max_length=MOST_LINES)
    put_back: bool = Field(
        False, strict=True, description="Pieces beyond a line's new quantity that are packed already go back to stock"
    )
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$", description="It is kept")


class OrderChanged(BaseModel):
    """An order after a change."""

    id: str
    state: str
    due: datetime
    priority: int
    ship_to: str
    lines: list[LineOut]
    withdrawn_picks: int = Field(description="Picks that nobody had begun and that are not needed any more")
    new_totes: int
    put_back_tasks: int = Field(0, description="What people take out of packed totes; the order goes on without it")

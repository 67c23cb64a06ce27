"""An ASN (advance shipping notice) as it is announced, and as it is answered."""

from collections import Counter
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from central.epcis.identifiers import is_sscc
from central.moment import Day, Moment
from central.orders.model import Name, Owner
from central.problems import refused
from contracts.ids import PATTERN, identifier

MOST_LINES = 500
MOST_PIECES = 1_000_000
_LONGEST_ID = 40
"""So that the id of a task of one of its lines (``R-<asn>-<line>-<n>``) stays within 64 characters."""

Lot = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Pieces = Annotated[int, Field(ge=1, le=MOST_PIECES, strict=True)]


class Contents(BaseModel):
    """So many pieces of a line in a handling unit."""

    line: int = Field(ge=1, le=1_000_000, strict=True, description="A line of the ASN")
    qty: Pieces


class UnitIn(BaseModel):
    """A pallet or case that is to come, known by its SSCC."""

    sscc: str = Field(pattern=r"^\d{18}$", description="18 digits, the last of which checks the others")
    parent: str | None = Field(None, pattern=r"^\d{18}$", description="SSCC of the unit that it stands on or in")
    contents: list[Contents] = Field(default_factory=list, max_length=MOST_LINES)

    @field_validator("sscc")
    @classmethod
    def _checked(cls, sscc: str) -> str:
        if not is_sscc(sscc):
            raise ValueError("an SSCC whose check digit is right")
        return sscc


class AsnLineIn(BaseModel):
    """One line: so many pieces of an item are to come."""

    line: int = Field(ge=1, le=1_000_000, strict=True, description="The ERP's own number of the line")
    item: Name = Field(description="Item id")
    qty: Pieces
    lot: Lot = Field("", description="As the supplier has told; another one may come")
    expires: Day | None = Field(None, description="Last day of that lot")


class AsnIn(BaseModel):
    """What a supplier sends. Fields that are not known are skipped."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ref": "PO-4711",
                    "supplier": "acme-foods",
                    "due": "2013-12-02T09:00:00Z",
                    "lines": [{"line": 1, "item": "part04ef2f7", "qty": 120}],
                    "units": [{"sscc": "340123450000000017", "contents": [{"line": 1, "qty": 120}]}],
                }
            ]
        }
    )

    ref: Name = Field(description="What the ERP calls it; once per source")
    source: Name | None = Field(None, description="Which system it comes from; the token's client when absent")
    owner: Owner | None = Field(None, description="Whose goods; the token's owner when absent")
    supplier: Name = Field(description="Who sends it")
    due: Moment = Field(description="When it should be here")
    over_pct: int | None = Field(
        None, ge=0, le=100, strict=True, description="So much more than announced is taken; absent: the owner's rule"
    )
    note: str = Field("", max_length=500, pattern=r"^[^\x00]*$")
    lines: list[AsnLineIn] = Field(min_length=1, max_length=MOST_LINES)
    units: list[UnitIn] = Field(default_factory=list, max_length=2_000, description="Expected handling units, nested")


def check_lines(lines: list[AsnLineIn]) -> None:
    """Refuse a line number that is named twice.

    Raises
    ------
    Refusal
        422.
    """
    seen: set[int] = set()
    for n, line in enumerate(lines):
        if line.line in seen:
            raise refused(f"lines/{n}/line", line.line, "a number that no other line of the ASN has")
        seen.add(line.line)


def check_units(units: list[UnitIn], lines: dict[int, int]) -> None:
    """Check that handling units are named once, stand in each other without a loop, and hold no more than the lines.

    Parameters
    ----------
    lines
        Pieces by line.

    Raises
    ------
    Refusal
        422: names the unit.
    """
    parents: dict[str, str | None] = {}
    held: Counter[int] = Counter()
    for n, unit in enumerate(units):
        if unit.sscc in parents:
            raise refused(f"units/{n}/sscc", unit.sscc, "an SSCC that no other unit of the ASN has")
        parents[unit.sscc] = unit.parent
        seen: set[int] = set()
        for k, c in enumerate(unit.contents):
            if c.line not in lines or c.line in seen:
                raise refused(f"units/{n}/contents/{k}/line", c.line, "a line of the ASN, once in a unit")
            seen.add(c.line)
            held[c.line] += c.qty
            if held[c.line] > lines[c.line]:
                bound = f"at most what is left of line {c.line}'s {lines[c.line]} pieces"
                raise refused(f"units/{n}/contents/{k}/qty", c.qty, bound)
    for n, unit in enumerate(units):
        above, steps = unit.parent, 0
        while above is not None:
            if above not in parents:
                raise refused(f"units/{n}/parent", unit.parent, "the SSCC of a unit of the ASN")
            if above == unit.sscc or steps > len(units):
                raise refused(f"units/{n}/parent", unit.parent, "a unit that does not itself stand in this one")
            above, steps = parents[above], steps + 1


def asn_id(ref: str) -> str:
    """Return the id of an ASN: its ref where that fits, else one made of it."""
    made = identifier(ref)
    if len(made) <= _LONGEST_ID:
        return made
    whole = identifier(f"{ref}/")
    return f"{whole[: _LONGEST_ID - 9]}-{whole[-8:]}"


class AsnLine(BaseModel):
    """A line, and what has come of it."""

    line: int
    item: str
    qty: int
    lot: str
    expires: date | None
    received: int = Field(description="With the damaged ones")
    damaged: int


class AsnUnit(BaseModel):
    """A handling unit that was announced."""

    sscc: str
    parent: str | None
    state: str = Field(description="expected | received | missing | cancelled")
    received_at: datetime | None
    contents: list[dict[str, int]]


class AsnOut(BaseModel):
    """An ASN as a list shows it."""

    id: str
    source: str
    ref: str
    owner: str
    supplier: str
    state: str = Field(description="expected | arrived | closed | cancelled")
    due: datetime
    staging: str | None = Field(description="The lane where it is unloaded")
    note: str
    announced_at: datetime
    arrived_at: datetime | None
    closed_at: datetime | None
    lines: int
    qty: int
    received: int
    damaged: int


class ReceiptOut(BaseModel):
    """Goods that came in, by one posting."""

    key: str = Field(description="Of the ledger's row")
    at: datetime
    asn: str | None
    line: int | None
    item: str
    lot: str
    owner: str
    qty: int
    status: str = Field(description="ok | quality | damaged")
    why: str = Field(description="Why it is not free")
    place: str
    supplier: str
    actor: str


class AsnDetail(AsnOut):
    """An ASN with its lines, units, receipts, appointments."""

    over_pct: int | None
    asn_lines: list[AsnLine]
    units: list[AsnUnit]
    receipts: list[ReceiptOut]
    appointments: list[dict[str, Any]]


class AsnTaken(BaseModel):
    """An ASN as it was taken in."""

    id: str
    source: str
    ref: str
    owner: str
    state: str
    due: datetime
    lines: int
    units: int


class AsnLineChange(BaseModel):
    """A line as it should be: an existing one with other values, or a new one."""

    line: int = Field(ge=1, le=1_000_000, strict=True)
    item: Name | None = Field(None, description="Needed for a new line; may not differ for an existing one")
    qty: int = Field(ge=0, le=MOST_PIECES, strict=True, description="Pieces; at least what has come")
    lot: Lot | None = None
    expires: Day | None = None


class AsnChange(BaseModel):
    """What should be different; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"due": "2013-12-03T09:00:00Z"}]})

    due: Moment | None = None
    over_pct: int | None = Field(None, ge=0, le=100, strict=True)
    note: str | None = Field(None, max_length=500, pattern=r"^[^\x00]*$")
    lines: list[AsnLineChange] = Field(default_factory=list, max_length=MOST_LINES)
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$", description="It is kept")


class ArriveIn(BaseModel):
    """It is here: where it is unloaded."""

    staging: str | None = Field(
        None, pattern=PATTERN, description="A staging lane; absent: the first one", examples=["lane-1"]
    )
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$")


class ReceiveIn(BaseModel):
    """What has come of a line; or a whole handling unit as announced (`unit` without `line`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"line": 1, "qty": 118, "damaged": 2}]})

    line: int | None = Field(None, ge=1, le=1_000_000, strict=True)
    qty: int = Field(0, ge=0, le=MOST_PIECES, strict=True, description="Good pieces")
    damaged: int = Field(0, ge=0, le=MOST_PIECES, strict=True, description="Damaged pieces, besides")
    lot: Lot = Field("", description="As it is on the goods; absent: as announced")
    expires: Day | None = Field(None, description="Last day, as it is on the goods")
    made: Day | None = Field(None, description="Day of making: with the shelf life it gives the last day")
    place: str | None = Field(None, pattern=PATTERN, description="Staging lane; absent: the ASN's")
    unit: str | None = Field(None, pattern=r"^\d{18}$", description="SSCC of the handling unit that it is in")

    @field_validator("unit")
    @classmethod
    def _checked(cls, sscc: str | None) -> str | None:
        if sscc is not None and not is_sscc(sscc):
            raise ValueError("an SSCC whose check digit is right")
        return sscc


class BlindIn(ReceiveIn):
    """What has come unannounced."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"item": "part04ef2f7", "qty": 12, "supplier": "acme-foods"}]}
    )

    line: None = None
    item: str = Field(pattern=PATTERN)
    supplier: str = Field("", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$", description="Who sent it, if known")


class PutawayTask(BaseModel):
    """Who is to put it away finds it here, and why there."""

    task: str
    item: str | None = Field(description="None: a handling unit is put away as a whole, `source` is it")
    lot: str
    qty: int = Field(description="Pieces; of a whole unit: all that is in it")
    source: str
    target: str | None = Field(description="None: no place takes it; who does it chooses one")
    why: dict[str, Any]


class CrossDocked(BaseModel):
    """Pieces that an order line has waited for: they are picked where they came in."""

    task: str
    order: str
    line: int
    item: str
    qty: int
    place: str


class Received(BaseModel):
    """What was posted, and where it goes."""

    asn: str | None
    state: str | None = Field(description="Of the ASN after it")
    receipts: list[ReceiptOut]
    putaway: list[PutawayTask]
    cross_docked: list[CrossDocked] = Field(default_factory=list, description="What order lines have waited for")

"""A handling unit as it is asked for, and as it is answered."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from central.epcis.identifiers import check_digit, is_sscc
from central.orders.model import Owner
from central.reason import Overrule
from contracts.ids import PATTERN

Kind = Literal["carton", "pallet", "cage"]


class UnitIn(BaseModel):
    """A new unit: with a number of ours, or with the one that it wears already."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "pallet", "at": "LANE-1"}]})

    kind: Kind = "pallet"
    sscc: str | None = Field(
        None, pattern=r"^\d{18}$", description="The number it wears already, of whoever packed it; absent: one of ours"
    )
    at: str | None = Field(None, pattern=PATTERN, description="A staging lane, dock, shelf or bin where it stands")
    owner: Owner = Field("", description="Whose goods it may hold; empty: the house's")

    @field_validator("sscc")
    @classmethod
    def _right(cls, sscc: str | None) -> str | None:
        if sscc is not None and not is_sscc(sscc):
            raise ValueError(f"an SSCC with a right check digit ({check_digit(sscc[:-1])})")
        return sscc


class UnitMove(BaseModel):
    """Where a unit goes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"into": "LANE-1"}]})

    into: str = Field(pattern=PATTERN, description="Another unit (its SSCC, or the tote's id), or a place")
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$", description="It is kept")
    overrule: Overrule = ""


class UnitFill(BaseModel):
    """Pieces that go into a unit (`qty` above 0) from a place, or out of it (below 0) to a place."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"place": "LANE-1", "item": "part4d4c799", "qty": 12}]})

    place: str = Field(pattern=PATTERN, description="Where they come from, or go to")
    item: str = Field(pattern=PATTERN)
    lot: str = Field("", max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")
    qty: int = Field(ge=-1_000_000, le=1_000_000, strict=True)
    overrule: Overrule = ""

    @field_validator("qty")
    @classmethod
    def _something(cls, qty: int) -> int:
        if qty == 0:
            raise ValueError("a number other than 0")
        return qty


class UnitClose(BaseModel):
    """Nothing more goes in."""

    weight_g: int | None = Field(
        None, ge=0, le=50_000_000, strict=True, description="What the scale says", examples=[312_000]
    )


class UnitOut(BaseModel):
    """A unit as it stands."""

    sscc: str
    place: str = Field(description="Its name in the books: the SSCC, or the tote's id")
    kind: str = Field(description="tote | carton | pallet | cage")
    state: str = Field(description="open | closed | shipped | void")
    issued: bool = Field(description="Whether the number is ours")
    owner: str
    at: str | None = Field(description="What it stands in or on")
    weight_g: int | None
    created_at: datetime
    closed_at: datetime | None


class Held(BaseModel):
    """So much of an item in a unit, or in one inside it."""

    unit: str = Field(description="The SSCC of the unit that holds it, or a tote's id")
    item: str
    lot: str
    status: str
    expires: date | None
    qty: int


class UnitDetail(UnitOut):
    """A unit with all that is in it, however deep."""

    order_id: str | None = Field(description="Of an order's tote")
    units: list[dict[str, Any]] = Field(description="Units inside it, outermost first: `sscc`, `in`, `kind`, `depth`")
    content: list[Held]

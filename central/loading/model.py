"""A truck as it is planned, and its papers as they are answered."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from central.moment import Moment
from contracts.ids import PATTERN

Name = Annotated[str, Field(pattern=PATTERN)]
_Text = Annotated[str, Field(max_length=64, pattern=r"^([A-Za-z0-9][A-Za-z0-9 ._/-]*)?$")]
MOST_STOPS, MOST_ORDERS = 100, 2_000
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$", examples=["the truck is full"])]


class StopIn(BaseModel):
    """A stop, and what is for it."""

    ship_to: str = Field(max_length=500, pattern=r"^[^\x00]*$", description="Where it is, in words")
    orders: list[Name] = Field(default_factory=list, max_length=MOST_ORDERS)


class TruckIn(BaseModel):
    """A truck that will leave, with its stops in the order in which it comes to them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "TR-17",
                    "route": "NORTH-1",
                    "carrier": "ACME",
                    "departs_at": "2013-12-02T17:00:00Z",
                    "stops": [{"ship_to": "Berlin", "orders": ["10956"]}, {"ship_to": "Hamburg"}],
                }
            ]
        }
    )

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,24}$")] = Field(
        description="Its name here, and that of its manifest"
    )
    route: _Text = Field(min_length=1, description="Orders of this route go with it")
    carrier: _Text = ""
    vehicle: _Text = Field("", description="Its plate")
    dock: Name | None = Field(None, description="The door it is to stand at")
    departs_at: Moment
    stops: list[StopIn] = Field(
        default_factory=list, max_length=MOST_STOPS, description="Absent: `collect` makes a stop of each place"
    )
    collect: bool = Field(
        False, description="Take all open orders of the route that are on no truck, to the stop of their `ship_to`"
    )


class OrdersIn(BaseModel):
    """Orders that go to a stop too."""

    stop: int = Field(ge=1, le=MOST_STOPS, strict=True)
    orders: list[Name] = Field(min_length=1, max_length=MOST_ORDERS, examples=[["A-1001", "A-1002"]])


class LeaveIn(BaseModel):
    """Orders that do not go with this truck after all."""

    orders: list[Name] = Field(min_length=1, max_length=MOST_ORDERS, examples=[["A-1001", "A-1002"]])
    reason: Reason


class LoadIn(BaseModel):
    """The truck stands at its door."""

    dock: Name | None = Field(None, description="The door, where it is another one than planned", examples=["dock-2"])


class DispatchIn(BaseModel):
    """Close the truck."""

    reason: str = Field(
        "",
        max_length=500,
        pattern=r"^[^\x00]*$",
        description="Why what is missing stays here; needed only then",
        examples=["the truck is full"],
    )


class Stop(BaseModel):
    """A stop as it stands."""

    stop: int
    ship_to: str
    orders: list[str] = Field(description="Those that are planned for it")
    expected: int = Field(description="Totes that are to be loaded")
    loaded: int


class TruckOut(BaseModel):
    """A truck as it stands."""

    id: str
    state: str = Field(description="planned | loading | dispatched | departed | cancelled")
    route: str
    carrier: str
    vehicle: str
    dock: str | None
    departs_at: datetime
    created_at: datetime
    loading_at: datetime | None
    dispatched_at: datetime | None
    departed_at: datetime | None
    reason: str
    stops: list[Stop]


class Piece(BaseModel):
    """A tote on the papers."""

    stop: int
    ship_to: str
    order_id: str
    ref: str
    owner: str
    unit: str = Field(description="What is lifted: the SSCC of the tote, or of the pallet that it stands on")
    unit_kind: str
    tote: str = Field(description="Its SSCC; its id as long as it is not packed")
    pieces: int
    weight_g: int | None
    state: str = Field(description="expected | loaded | left")
    loaded_at: datetime | None
    loaded_by: str | None
    reason: str = Field(description="Why it was left here")


class Manifest(BaseModel):
    """The papers of a truck."""

    id: str
    truck: TruckOut
    units: int = Field(description="Units on the truck")
    totes: int
    pieces: int
    weight_g: int
    lines: list[Piece]

"""A transport as it is ordered, and as it is answered."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from central.moment import Moment

Place = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A node, station or place as the layout's file names it."""


class TransportIn(BaseModel):
    """Bring something from one place to another. Fields that are not known are skipped."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"examples": [{"from": "S01", "to": "S02", "load": "PAL-17", "priority": 1}]},
    )

    origin: Place = Field(alias="from", description="A node of the layout, a station, or another place of the site")
    goal: Place = Field(alias="to", description="Where it goes, named like `from`")
    load: str = Field("", max_length=64, pattern=r"^[^\x00-\x1f]*$", description="What is carried, by name")
    load_type: str = Field("EPAL", max_length=64, pattern=r"^[^\x00-\x1f]*$", description="As the robots know it")
    handling: bool = Field(True, description="Pick up and drop; false: the robot only drives from one to the other")
    priority: int = Field(0, ge=0, le=9, strict=True, description="Higher is more urgent")
    due: Moment | None = Field(None, description="When it should be there")


class TransportOut(BaseModel):
    """A transport as it stands."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: str
    state: str = Field(description="open | assigned | loaded | done | cancelled")
    origin: str = Field(alias="from")
    goal: str = Field(alias="to")
    from_node: str
    to_node: str
    load: str
    load_type: str
    handling: bool
    priority: int
    due: datetime | None
    robot: str | None = Field(description="Which one has it, or had it")
    reason: str
    created_at: datetime
    assigned_at: datetime | None
    loaded_at: datetime | None
    closed_at: datetime | None


class Step(BaseModel):
    """Something that happened to a transport."""

    at: datetime
    state: str = Field(description="As of the transport; `late`: it arrived though it had been cancelled")
    robot: str | None
    node: str | None = Field(description="Where the robot was last")
    reason: str
    who: str


class TransportDetail(TransportOut):
    """A transport with its history, oldest first."""

    history: list[Step]

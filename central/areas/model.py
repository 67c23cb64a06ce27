"""What a client says of a pick area: aisles, depots, rules, where its places lie, and how people walk it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.ids import PATTERN

Metres = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=PATTERN)]
MOST_PLACES = 50_000


class DepotIn(BaseModel):
    """Where rounds begin or end: the corner of an aisle and a cross aisle (0: the top one)."""

    id: Name
    aisle: int = Field(ge=0, le=999, strict=True)
    cross: int = Field(ge=0, le=5, strict=True)


class OneWayIn(BaseModel):
    """A rule: an aisle (or one block of it) is walked `down` from the top or `up`, a cross aisle `right` or `left`."""

    toward: Literal["down", "up", "right", "left"]
    aisle: int | None = Field(None, ge=0, le=999, strict=True)
    block: int | None = Field(None, ge=0, le=4, strict=True)
    cross: int | None = Field(None, ge=0, le=5, strict=True)

    @model_validator(mode="after")
    def _of_one_thing(self) -> "OneWayIn":
        along = self.toward in {"down", "up"}
        if along != (self.aisle is not None) or along == (self.cross is not None) or not (along or self.block is None):
            raise ValueError("down and up are for an aisle, right and left for a cross aisle")
        return self


class CartIn(BaseModel):
    """What one walk can hold; absent: any amount."""

    totes: int = Field(8, ge=1, le=60, strict=True)
    volume_ml: int | None = Field(None, ge=1, le=10**12, strict=True)
    weight_g: int | None = Field(None, ge=1, le=10**12, strict=True)


class AreaIn(BaseModel):
    """Parallel aisles cut into blocks by cross aisles, and the places along them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "aisles": 10, "pitch_m": 3.0, "block_m": [20.0, 20.0],
                    "depots": [{"id": "packing", "aisle": 4, "cross": 0}],
                    "one_way": [{"aisle": 3, "toward": "down"}],
                    "cart": {"totes": 8, "volume_ml": 400_000},
                    "places": {}, "rebatch_s": 120,
                }
            ]
        }
    )  # fmt: skip

    aisles: int = Field(ge=1, le=1000, strict=True)
    pitch_m: Metres = Field(description="From one aisle to the next")
    block_m: list[Metres] = Field(min_length=1, max_length=5, description="Length of each block, the top one first")
    depots: list[DepotIn] = Field(min_length=1, max_length=20)
    one_way: list[OneWayIn] = Field(default_factory=list, max_length=6_000)
    cart: CartIn = Field(default_factory=CartIn)
    depot: str = Field("", max_length=64, description="Where rounds begin; empty: at any depot")
    ends: list[Name] = Field(default_factory=list, max_length=20, description="Where they end; empty: where they began")
    pickers: int = Field(1, ge=1, le=200, strict=True, description="How many people walk at a time")
    speed_mps: float = Field(1.0, gt=0, le=20, allow_inf_nan=False)
    pick_s: float = Field(10.0, ge=0, le=3_600, allow_inf_nan=False, description="What a line takes besides walking")
    setup_s: float = Field(60.0, ge=0, le=86_400, allow_inf_nan=False, description="What a round takes besides")
    metres_a_late_s: float = Field(
        1.0, ge=0, le=10**6, allow_inf_nan=False, description="So much walking is worth an order's second late"
    )
    crowd: float = Field(
        0.5,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="So much longer is a metre in an aisle for each other round there",
    )
    rebatch_s: int = Field(
        0,
        ge=0,
        le=86_400,
        strict=True,
        description="Batches that nobody has begun are planned anew so often; 0: on request",
    )
    handheld_totes: int = Field(
        0,
        ge=0,
        le=60,
        strict=True,
        description="Whoever asks for picks on a handheld walks a round of so many totes; 0: single picks",
    )
    places: dict[
        Name, tuple[Annotated[int, Field(ge=0, le=999)], Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    ] = Field(
        max_length=MOST_PLACES, description="Where each place lies: its aisle, and metres from the top cross aisle"
    )

    def contradiction(self) -> tuple[str, Any, str] | None:
        """Return the first element that contradicts another one: its path, its value, and what it should be."""
        crosses, length = len(self.block_m), sum(self.block_m)
        names = [d.id for d in self.depots]
        for n, d in enumerate(self.depots):
            if d.aisle >= self.aisles:
                return f"depots/{n}/aisle", d.aisle, f"in 0..{self.aisles - 1}"
            if d.cross > crosses:
                return f"depots/{n}/cross", d.cross, f"in 0..{crosses}"
            if d.id in names[:n]:
                return f"depots/{n}/id", d.id, "new: another one has that name"
        if self.depot and self.depot not in names:
            return "depot", self.depot, f"one of {', '.join(names)}, or empty"
        for n, name in enumerate(self.ends):
            if name not in names:
                return f"ends/{n}", name, f"one of {', '.join(names)}"
        for n, rule in enumerate(self.one_way):
            for field, most in (("aisle", self.aisles - 1), ("block", crosses - 1), ("cross", crosses)):
                value = getattr(rule, field)
                if value is not None and value > most:
                    return f"one_way/{n}/{field}", value, f"in 0..{most}"
        for place, (aisle, at_m) in self.places.items():
            if aisle >= self.aisles:
                return f"places/{place}/0", aisle, f"in 0..{self.aisles - 1}"
            if at_m > length:
                return f"places/{place}/1", at_m, f"in 0..{length:g}"
        return None

    def form(self) -> dict[str, Any]:
        """Return what the planner reads as the area."""
        return self.model_dump(include={"aisles", "pitch_m", "block_m", "depots", "one_way"}, exclude_none=True)

    def habit(self) -> dict[str, Any]:
        """Return how people walk it."""
        return self.model_dump(
            include={"depot", "ends", "pickers", "speed_mps", "pick_s", "setup_s", "metres_a_late_s", "handheld_totes"}
        )


class AreaOut(AreaIn):
    """A pick area as it is kept."""

    code: str


class BatchOut(BaseModel):
    """A planned batch that nobody has begun."""

    n: int = Field(description="In which order they are given to people")
    plan: str
    totes: list[str]
    walk: list[str] = Field(description="Its places in the order in which they are walked")

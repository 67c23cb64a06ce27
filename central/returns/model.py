"""A return as it is announced, received and answered."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from central.orders.model import MOST_LINES, Name, Owner
from central.reason import Overrule
from contracts.ids import PATTERN

Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Pieces = Annotated[int, Field(ge=1, le=100_000, strict=True)]
ReturnState = Literal["announced", "received", "closed", "cancelled"]


class ReturnLineIn(BaseModel):
    """Pieces that are announced."""

    line: int = Field(ge=1, le=1_000_000, strict=True)
    order_line: int | None = Field(
        None,
        ge=1,
        le=2_000_000_000,
        strict=True,
        description="Of the order; else the line that has shipped enough of it",
    )
    item: str = Field(pattern=PATTERN)
    qty: Pieces
    reason: Text = ""


class ReturnIn(BaseModel):
    """What a customer will send back; of an order, or blind."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ref": "RMA-17",
                    "order": "10956",
                    "reason": "too small",
                    "lines": [{"line": 1, "item": "part04ef2f7", "qty": 1}],
                }
            ]
        }
    )

    ref: Name = Field(description="What the ERP calls the return; once per source")
    source: Name | None = Field(None, description="Which system it comes from; the token's client when absent")
    owner: Owner | None = Field(None, description="Whose goods; the token's owner when absent")
    order: str | None = Field(None, pattern=PATTERN, description="The order it comes back from, by its id; none: blind")
    reason: Text = ""
    lines: list[ReturnLineIn] = Field(
        default_factory=list,
        max_length=MOST_LINES,
        description="May be empty for a blind return: what comes is seen then",
    )


class ReturnLine(BaseModel):
    """A line, and where its pieces went."""

    line: int
    order_line: int | None
    item: str
    qty: int = Field(description="Announced")
    received: int
    back: int = Field(description="Grade A: in stock again")
    other: int = Field(description="Grade B: as another item, or held back")
    damaged: int
    scrapped: int
    reason: str


class Return(BaseModel):
    """A return in a list."""

    id: str
    source: str
    ref: str
    owner: str
    order_id: str | None
    state: ReturnState
    reason: str
    made_by: str
    made_at: datetime
    closed_at: datetime | None


class ReturnDetail(Return):
    """A return with its lines, and the hand tasks that grade what came."""

    lines: list[ReturnLine]
    grading: list[str] = Field(description="Hand tasks that are open")


class ReceivedLine(BaseModel):
    """Pieces that have come."""

    line: int | None = Field(None, ge=1, le=1_000_000, strict=True, description="Of the return; else that of the item")
    item: str | None = Field(None, pattern=PATTERN, description="Needed where no line is named")
    lot: Annotated[str, Field(max_length=64, pattern=r"^[\x20-\x7e]*$")] = ""
    qty: Pieces


class ReceiptIn(BaseModel):
    """What was unpacked, and where it lies until it is graded."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lines": [{"item": "part04ef2f7", "qty": 1}]}]})

    place: str = Field("returns", pattern=PATTERN, description="A staging lane, shelf, …")
    lines: list[ReceivedLine] = Field(min_length=1, max_length=MOST_LINES)
    overrule: Overrule = ""

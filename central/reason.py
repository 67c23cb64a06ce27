"""Why somebody asks for something, as a body of a request: it is kept with the audit."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Reason(BaseModel):
    """Why a command is given; it is kept."""

    reason: str = Field(min_length=1, max_length=500, examples=["customer called"])


class Why(BaseModel):
    """Why something is given up, undone or decided so; it is kept."""

    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$", examples=["the wrong pallet"])


Overrule = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Why goods go there although the place takes no more by its volume, by what it mixes or is kept"
        " for; weight, temperature, hazard classes and owners are never overruled",
        examples=["they fit when stacked crosswise"],
    ),
]


class Undo(Why):
    """Why a posted step is taken back."""

    error: Literal["did_not_occur", "incorrect_data"] = Field(
        "did_not_occur", description="What EPCIS is told: it did not happen, or it happened otherwise"
    )

    @property
    def how(self) -> str:
        """Return the word of the ledger's functions for it."""
        return "reverse" if self.error == "did_not_occur" else "correct"

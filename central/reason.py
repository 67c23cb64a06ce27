"""Why somebody asks for something, as a body of a request: it is kept with the audit."""

from typing import Literal

from pydantic import BaseModel, Field


class Reason(BaseModel):
    """Why a command is given; it is kept."""

    reason: str = Field(min_length=1, max_length=500, examples=["customer called"])


class Why(BaseModel):
    """Why something is given up, undone or decided so; it is kept."""

    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$", examples=["the wrong pallet"])


class Undo(Why):
    """Why a posted step is taken back."""

    error: Literal["did_not_occur", "incorrect_data"] = Field(
        "did_not_occur", description="What EPCIS is told: it did not happen, or it happened otherwise"
    )

    @property
    def how(self) -> str:
        """Return the word of the ledger's functions for it."""
        return "reverse" if self.error == "did_not_occur" else "correct"

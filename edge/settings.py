"""Settings of an edge process, and the part that is read again while it runs."""

import tomllib
from pathlib import Path

import msgspec

from contracts.errors import Rejected
from edge.rules.port import Tolerances


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one edge process works.

    Parameters
    ----------
    state
        Folder of buffers and pictures; None: nothing is written to disk (virtual time).
    cameras
        Whether pods are photographed when they are presented.
    pictures
        How many pictures a cell keeps, the oldest goes first; 1..100,000.
    buffer_limit
        Events that a cell keeps without acknowledgement; 100..10,000,000.
    resend_s
        An event that is not acknowledged is sent again after this time; 1..600.
    file
        A TOML file with `log_level` and a table `tolerances`, read again on SIGHUP.
    log_level, tolerances
        What applies as long as the file does not say otherwise.

    Raises
    ------
    ValueError
        A value is out of its bounds.
    """

    state: Path | None = None
    cameras: bool = False
    pictures: int = 200
    buffer_limit: int = 100_000
    resend_s: float = 15.0
    file: Path | None = None
    log_level: str = "info"
    tolerances: Tolerances = Tolerances()

    def __post_init__(self) -> None:
        for name, low, high in (
            ("pictures", 1, 100_000),
            ("buffer_limit", 100, 10_000_000),
            ("resend_s", 1, 600),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name}: {value} is not between {low} and {high}")


class Hot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may change while the edge runs."""

    log_level: str = "info"
    tolerances: Tolerances = Tolerances()

    def __post_init__(self) -> None:
        if self.log_level not in LEVELS:
            raise ValueError(f"log_level: {self.log_level!r} is not one of {', '.join(LEVELS)}")


LEVELS = ("debug", "info", "warning", "error")


def read_hot(settings: EdgeSettings) -> Hot:
    """Return what applies now: the file where there is one, else the settings.

    Raises
    ------
    Rejected
        The file cannot be read or says something that is not allowed; what applied before stays.
    """
    if settings.file is None:
        return Hot(settings.log_level, settings.tolerances)
    try:
        said = tomllib.loads(settings.file.read_text("utf-8"))
        given = msgspec.structs.asdict(settings.tolerances) | said.get("tolerances", {})
        wanted = {"log_level": settings.log_level} | said | {"tolerances": given}
        return msgspec.convert(wanted, type=Hot)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, TypeError) as e:
        raise Rejected("file", str(settings.file), f"a TOML file with log_level and [tolerances]: {e}") from e

"""Settings: from flags, ``FLOORPLANE_*`` variables and a TOML file, in that order, all checked at the start.

Each process subclasses `Settings` in its own package, and all share one flat namespace, so that one environment and
one file serve them all: a name is known when any imported `Settings` class has it.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from contracts.errors import Rejected

PREFIX = "FLOORPLANE_"
CONFIG = "FLOORPLANE_CONFIG"
S = TypeVar("S", bound="Settings")
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]*)@")
_SECRET = re.compile(r"password|secret|token|credential|private|api_?key|authorization|cookie", re.IGNORECASE)
_SCHEMES = {
    "database_url": ("postgresql://", "postgresql+asyncpg://"),
    "nats_url": ("nats://", "tls://"),
    "mqtt_url": ("mqtt://", "mqtts://"),
}


class Settings(BaseSettings):
    """What every process has to know. Constructed directly it takes only what is passed; `load` reads the world."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    site: Path = Field(Path(".floorplane/site.json"), description="The site file")
    state: Path = Field(Path(".floorplane"), description="The folder in which this installation keeps its state")
    database_url: str | None = Field(None, description="PostgreSQL; none: the embedded one that `floorplane up` starts")
    nats_url: str | None = Field(None, description="NATS, commas between several; none: the embedded one")
    mqtt_url: str | None = Field(None, description="The MQTT broker; none: the embedded one")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged")
    log_format: Literal["console", "json"] = Field("console", description="For a person, or one JSON object a line")
    time_scale: float = Field(1.0, gt=0, le=1000, description="Floor seconds per second of the wall")

    @field_validator("database_url", "nats_url", "mqtt_url")
    @classmethod
    def _scheme(cls, value: str | None, info: Any) -> str | None:
        allowed = _SCHEMES[info.field_name]
        if value is not None and not all(part.strip().startswith(allowed) for part in value.split(",")):
            raise ValueError(f"a URL that begins with {' or '.join(allowed)}")
        return value

    def needed(self, name: str) -> str:
        """Return a setting that this process cannot do without.

        Raises
        ------
        Rejected
            It is not set; says how to.
        """
        value = getattr(self, name)
        if value is None:
            bound = f"set: give {_flag(name)}, or {PREFIX}{name.upper()}, or run `floorplane up`, which starts its own"
            raise Rejected(name, None, bound)
        return str(value)

    def shown(self) -> dict[str, Any]:
        """Return all values for a person's eyes: no password, no secret."""
        return {name: _masked(name, getattr(self, name)) for name in type(self).model_fields}

    def __repr_args__(self) -> Any:
        return self.shown().items()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing but what is passed: `load` has the order and the errors."""
        return (init_settings,)


def load(cls: type[S], flags: Mapping[str, Any] | None = None, config: Path | None = None) -> S:
    """Read a process's settings.

    Parameters
    ----------
    flags
        By setting name; None values were not given.
    config
        The TOML file of ``--config``; else ``FLOORPLANE_CONFIG`` names it; else there is none.

    Raises
    ------
    Rejected
        A value is out of bounds or of the wrong kind, a name is unknown, or the file cannot be read: names the setting,
        where it came from, the value (no secrets) and what would be accepted.
    """
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, value, where in (*_from_file(cls, config), *_from_environment(cls), *_from_flags(cls, flags or {})):
        values[name], origin[name] = value, where
    try:
        return cls(**values)
    except ValidationError as e:
        error = e.errors(include_url=False, include_context=False)[0]
        path = [str(part) for part in error["loc"]]
        name = path[0] if path else "settings"
        bound = _bound(error["msg"])
        if error["type"] == "missing":
            bound = f"set: give {_flag(name)}, {PREFIX}{name.upper()} or the file's {name}"
        where = f" ({origin[name]})" if name in origin else ""
        raise Rejected("/".join(path or [name]) + where, _masked(name, values.get(name)), bound) from None


def redact(text: str) -> str:
    """Take passwords out of the URLs in a text."""
    return _PASSWORD.sub(r"\1:***@", text)


def is_secret(name: str) -> bool:
    """Whether a value of that name must not be shown."""
    return _SECRET.search(name) is not None


def _from_file(cls: type[Settings], config: Path | None) -> list[tuple[str, Any, str]]:
    named = os.environ.get(CONFIG)
    path = config or (Path(named) if named else None)
    if path is None:
        return []
    source = "--config" if config else CONFIG
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as e:
        raise Rejected(f"config ({source})", str(path), f"a file that can be read: {e}") from e
    except tomllib.TOMLDecodeError as e:
        raise Rejected(f"config ({source})", str(path), f"TOML: {e}") from e
    known = _known()
    for key in table:
        if key not in known:
            raise Rejected(f"{key} ({path})", _masked(key, table[key]), f"a setting{_hint(key, known)}")
    return [(key, value, str(path)) for key, value in table.items() if key in cls.model_fields]


def _from_environment(cls: type[Settings]) -> list[tuple[str, Any, str]]:
    known = _known()
    names = [PREFIX + k.upper() for k in known]
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and variable != CONFIG and name not in known:
            raise Rejected(variable, _masked(name, os.environ[variable]), f"a setting{_hint(variable, names)}")
    try:
        found = EnvSettingsSource(cls)()
    except SettingsError as e:
        cause = e.__cause__
        raise Rejected(str(e), "***", f"of its kind: {cause}") from None
    return [(name, value, PREFIX + name.upper()) for name, value in found.items()]


def _from_flags(cls: type[Settings], flags: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    for name in flags:
        if name not in cls.model_fields:
            raise Rejected(_flag(name), _masked(name, flags[name]), f"a flag{_hint(name, cls.model_fields)}")
    return [(name, value, _flag(name)) for name, value in flags.items() if value is not None]


def _known() -> dict[str, None]:
    """Every setting's name, of every process's class that is imported."""
    known: dict[str, None] = {}
    classes: list[type[Settings]] = [Settings]
    while classes:
        one = classes.pop()
        known.update(dict.fromkeys(one.model_fields))
        classes.extend(one.__subclasses__())
    return known


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _hint(name: str, known: Mapping[str, object] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _bound(message: str) -> str:
    for opening in ("Input should be ", "Value error, "):
        message = message.removeprefix(opening)
    return message


def _masked(name: str, value: object) -> object:
    if value is None:
        return None
    if isinstance(value, SecretStr) or is_secret(name):
        return "***"
    if isinstance(value, str):
        return redact(value)
    return str(value) if isinstance(value, Path) else value


def bare_environment(**told: str) -> dict[str, str]:
    """Return this process's environment with no settings of ours but those told, for one that must not inherit any."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | told

"""Settings: flags before variables before the file before defaults, and errors that name the setting and its source."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr

from contracts.errors import Rejected
from contracts.runtime.settings import Settings, load


class Daemon(Settings):
    """A process with settings of its own."""

    cells: tuple[str, ...] = ()
    resend_s: float = Field(15.0, gt=0, le=600)
    api_token: SecretStr | None = None
    must: ClassVar[int] = 0


class Strict(Settings):
    """A process that cannot start without being told."""

    station: str


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    import os

    for name in [n for n in os.environ if n.startswith("FLOORPLANE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "floorplane.toml"
        path.write_text(text)
        return path

    return write


def test_precedence(monkeypatch, toml):
    """Each source yields to the one before it, setting by setting."""
    config = toml('time_scale = 2\nlog_level = "debug"\nlog_format = "json"\nresend_s = 3')
    monkeypatch.setenv("FLOORPLANE_TIME_SCALE", "3")
    monkeypatch.setenv("FLOORPLANE_LOG_LEVEL", "error")
    settings = load(Daemon, {"time_scale": 4.0, "log_level": None}, config)
    assert (settings.time_scale, settings.log_level, settings.log_format, settings.resend_s) == (4, "error", "json", 3)
    assert settings.site == Path(".floorplane/site.json")


def test_the_file_may_be_named_by_a_variable(monkeypatch, toml):
    """FLOORPLANE_CONFIG names the file, and is itself no setting."""
    monkeypatch.setenv("FLOORPLANE_CONFIG", str(toml("time_scale = 7")))
    assert load(Daemon).time_scale == 7


def test_lists_come_as_json(monkeypatch):
    """A variable for a list holds JSON; what is none is refused."""
    monkeypatch.setenv("FLOORPLANE_CELLS", '["a", "b"]')
    assert load(Daemon).cells == ("a", "b")
    monkeypatch.setenv("FLOORPLANE_CELLS", "a,b")
    with pytest.raises(Rejected, match="cells"):
        load(Daemon)


@pytest.mark.parametrize(
    ("flags", "variables", "file", "text"),
    [
        ({"time_scale": 5000}, {}, "", r"time_scale \(--time-scale\): 5000 is not less than or equal to 1000"),
        ({}, {"TIME_SCALE": "0"}, "", r"time_scale \(FLOORPLANE_TIME_SCALE\): '0' is not greater than 0"),
        ({}, {}, "time_scale = -1", r"time_scale \(.*floorplane\.toml\): -1 is not greater than 0"),
        ({}, {"LOG_LEVEL": "loud"}, "", r"FLOORPLANE_LOG_LEVEL\): 'loud' is not 'debug', 'info'"),
        ({}, {"MQTT_URL": "http://h"}, "", r"mqtt_url .*'http://h' is not a URL that begins with mqtt:// or mqtts://"),
        ({}, {"TIME_SCALES": "2"}, "", r"FLOORPLANE_TIME_SCALES: '2' is not a setting; did you mean FLOORPLANE_TIME_S"),
        ({}, {}, "timescale = 2", r"timescale \(.*\): 2 is not a setting; did you mean time_scale\?"),
        ({"colour": "red"}, {}, "", r"--colour: 'red' is not a flag; known are"),
        ({}, {}, "time_scale = ", r"config \(--config\): .* is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_source(monkeypatch, toml, flags, variables, file, text):
    """The error has the setting, where it came from, the value and the bound."""
    for name, value in variables.items():
        monkeypatch.setenv(f"FLOORPLANE_{name}", value)
    with pytest.raises(Rejected, match=text):
        load(Daemon, flags, toml(file))


def test_another_process_setting_is_known(monkeypatch):
    """One environment serves all processes: what another class has is neither refused nor taken."""
    monkeypatch.setenv("FLOORPLANE_STATION", "S1")
    assert not hasattr(load(Daemon), "station")
    assert load(Strict).station == "S1"


def test_what_must_be_given(toml):
    """A setting without a default, and one that a process cannot do without, say how to give them."""
    with pytest.raises(Rejected, match=r"station: None is not set: give --station, FLOORPLANE_STATION or the file's"):
        load(Strict)
    with pytest.raises(Rejected, match=r"nats_url.*give --nats-url, or FLOORPLANE_NATS_URL, or run `floorplane up`"):
        load(Daemon).needed("nats_url")
    assert load(Daemon, {"nats_url": "nats://h"}).needed("nats_url") == "nats://h"
    with pytest.raises(Rejected, match=r"config \(--config\).*a file that can be read"):
        load(Daemon, {}, Path("/nowhere/floorplane.toml"))


def test_secrets_are_never_shown(monkeypatch):
    """Neither repr nor an error shows a password or a token; the values are there all the same."""
    settings = load(Daemon, {"database_url": "postgresql://me:hunter2@h/db", "api_token": "hunter2"})
    assert "hunter2" not in repr(settings) + str(settings) + str(settings.shown())
    assert "postgresql://me:***@h/db" in repr(settings)
    assert settings.database_url == "postgresql://me:hunter2@h/db"
    monkeypatch.setenv("FLOORPLANE_MQTT_URL", "http://me:hunter2@h")
    with pytest.raises(Rejected, match=r"http://me:\*\*\*@h") as caught:
        load(Daemon)
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("FLOORPLANE_API_TOKENS", "hunter2")
    with pytest.raises(Rejected, match="API_TOKENS") as caught:
        load(Daemon)
    assert "hunter2" not in str(caught.value)


def test_constructing_reads_no_environment(monkeypatch):
    """Only `load` looks at the world."""
    monkeypatch.setenv("FLOORPLANE_TIME_SCALE", "9")
    assert Daemon().time_scale == 1

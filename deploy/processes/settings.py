"""What each process can be told. All classes stand here, so that one environment and one file serve them all."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from central.settings import CentralSettings
from contracts.runtime.clock import LoopClock
from contracts.runtime.logging import configure
from contracts.runtime.settings import Settings
from deploy.floor_time import FloorTime


class ProcessSettings(Settings):
    """What all processes of one machine share."""

    floor_time: Path | None = Field(None, description="Where `floorplane up` writes the floor's time; none: time_scale")
    secrets: Path = Field(Path(".floorplane/secrets.json"), description="Tokens that `floorplane up` has given out")

    @property
    def pace(self) -> float:
        """Floor seconds per second of the wall."""
        return self.time_scale if self.floor_time is None else FloorTime.read(self.floor_time).scale

    def begin(self) -> LoopClock:
        """Set up logging, and return the floor's clock for the running event loop."""
        clock = LoopClock(scale=self.time_scale) if self.floor_time is None else FloorTime.read(self.floor_time).clock()
        configure(self.log_level, self.log_format, now_ms=clock.now_ms)
        return clock


class CentralProcess(CentralSettings, ProcessSettings):
    """`floorplane central`."""


class DispatcherProcess(ProcessSettings):
    """`floorplane dispatcher`."""

    adopt: Literal["ask", "auto"] = Field(
        "ask", description="Robots that the site does not name: ask somebody before they get work, or take them at once"
    )
    stations: Literal["affinity", "optimized", "first_come"] = Field(
        "affinity", description="How totes get stations; optimized: where their pods come anyway (docs/planning.md)"
    )
    hold_min: float = Field(
        0, ge=0, le=1_440, description="With stations optimized: minutes that a tote may wait for others; 0: none waits"
    )
    seed: int = Field(1, ge=0, description="Of whatever is drawn: site, demand, faults")
    standby: bool = Field(
        False, description="Whether several dispatchers share this state: one leads, the others stand by, warm"
    )


class PlannerProcess(ProcessSettings):
    """`floorplane planner`."""


class EdgeProcess(ProcessSettings):
    """`floorplane edge`."""

    cells: str = Field("all", description="Which cells of the site, with commas between; all: every one")
    cameras: bool = Field(True, description="Whether pods are photographed when they are presented")
    pictures: int = Field(200, ge=1, le=100_000, description="How many pictures a cell keeps")
    buffer_limit: int = Field(100_000, ge=100, le=10_000_000, description="Events a cell keeps unacknowledged")
    tolerances: Path | None = Field(None, description="TOML with log_level and [tolerances], read again on SIGHUP")
    resend_s: float = Field(15.0, ge=1, le=600, description="When an unacknowledged event is sent again, seconds")


class SimulateProcess(ProcessSettings):
    """`floorplane simulate`."""

    visualization_hz: float = Field(
        2.0, ge=0, le=50, description="Positions a robot tells a second of the wall; 0: none"
    )
    orders_per_h: float = Field(60.0, gt=0, le=10_000, description="The small demand, where there is no order file")
    catalogue: Path = Field(Path(".floorplane/catalogue.json"), description="The items of the site")
    orders: Path | None = Field(None, description="Order file that the ERP feeds; none: a small seeded demand")
    orders_within_h: float = Field(
        7.0,
        gt=0,
        le=12,
        description="A day of the file comes within so many hours of the floor; gaps are cut to 2 min",
    )
    central_url: str = Field("http://127.0.0.1:8080", description="Where the ERP reaches central", pattern="^https?://")
    seed: int = Field(1, ge=0, description="Of whatever is drawn: site, demand, faults")


class UpSettings(ProcessSettings):
    """`floorplane up`: without URLs the embedded servers, without a site the reference site, built when missing."""

    orders: Path | None = Field(None, description="Order file; none: a small seeded demand")
    host: str = Field("127.0.0.1", description="Address of REST and console")
    port: int = Field(8080, ge=1, le=65535, description="Port of REST and console")
    nats_port: int = Field(4222, ge=1, le=65535, description="Port of the embedded log (NATS)")
    mqtt_port: int = Field(1883, ge=1, le=65535, description="Port of the embedded floor bus (MQTT)")
    profile: Literal["floor", "fleet"] = Field(
        "floor", description="floor: everything, with simulators; fleet: broker, database, central and dispatcher alone"
    )
    layout: Path | None = Field(None, description="LIF file whose roads the fleet drives on (profile fleet)")
    adopt: Literal["ask", "auto"] = Field("ask", description="Whether new robots wait until somebody adopts them")
    robots: int | Literal["none"] = Field(
        40, description="Robots of the reference site when it is built, 1 to 400; none: those that appear on the broker"
    )
    device_port: int = Field(
        17_000, ge=1024, le=65_000, description="First port of the twins' devices when the reference site is built"
    )
    seed: int = Field(1, ge=0, description="Of whatever is drawn: site, demand, faults")
    standby: bool = Field(False, description="Whether a second dispatcher stands by, and takes over within 3 s")

    @field_validator("robots")
    @classmethod
    def _so_many(cls, robots: int | str) -> int | str:
        if isinstance(robots, int) and not 1 <= robots <= 400:
            raise ValueError("from 1 to 400, or none")
        return robots

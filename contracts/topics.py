"""The one table of what is said where, and how: no topic or subject is written anywhere else.

Floor topics are MQTT 3.1.1; log subjects are NATS. VDA 5050's own topics are in `contracts.vda5050.topics`.
"""

from enum import StrEnum

import msgspec

from contracts.ids import CellId, SiteId, TaskId
from contracts.messages import facts, floor, lead, ops, work
from contracts.messages import plans as planning

ROOT = "floorplane"


class Kind(StrEnum):
    """How a message is treated."""

    STATE = "state"
    """Retained, the latest wins."""
    EVENT = "event"
    """QoS 1, numbered, deduplicated, kept until it is acknowledged."""
    COMMAND = "command"
    """QoS 1, with an id, a deadline and an answer."""
    LAST_PER_KEY = "last_per_key"
    """On the log: the last value of each subject is kept; empty closes it."""
    APPENDED = "appended"
    """On the log: each is kept and read in order."""
    REQUEST = "request"
    """On the log: one question, one answer."""
    SAID = "said"
    """On the log: lost when nobody listens."""


class Topic(msgspec.Struct, frozen=True):
    """One row: a pattern with ``{}`` fields, what it carries and how."""

    name: str
    pattern: str
    carries: object
    kind: Kind
    qos: int
    retained: bool
    rate: str


TABLE: tuple[Topic, ...] = (
    Topic("cell_state", f"{ROOT}/{{site}}/edge/{{cell}}/state", floor.CellState, Kind.STATE, 1, True, "on change"),
    Topic("cell_event", f"{ROOT}/{{site}}/edge/{{cell}}/event", floor.EdgeEvent, Kind.EVENT, 1, False, "as scans"),
    Topic("cell_ack", f"{ROOT}/{{site}}/edge/{{cell}}/ack", floor.EventAck, Kind.COMMAND, 1, False, "as events"),
    Topic(
        "cell_command", f"{ROOT}/{{site}}/edge/{{cell}}/command", floor.EdgeCommand, Kind.COMMAND, 1, False, "as picks"
    ),
    Topic("cell_answer", f"{ROOT}/{{site}}/edge/{{cell}}/answer", floor.EdgeAnswer, Kind.COMMAND, 1, False, "as picks"),
    Topic("stop", f"{ROOT}/{{site}}/stop", floor.StopState, Kind.STATE, 1, True, "by hand"),
    Topic("work", "work.{site}.{task}", work.Work, Kind.LAST_PER_KEY, 1, True, "10/s"),
    Topic("facts", "facts.{site}", facts.Fact, Kind.APPENDED, 1, False, "10/s"),
    Topic("facts_ack", "factsack.{site}", facts.FactsAck, Kind.SAID, 0, False, "as facts"),
    Topic("events", "events.{site}", dict, Kind.APPENDED, 1, False, "20/s"),
    Topic("lead", "lead.{site}", lead.Term, Kind.LAST_PER_KEY, 1, True, "2/s"),
    Topic("ops", "ops.{site}", ops.OpsCommand, Kind.REQUEST, 1, False, "by hand"),
    Topic("plans", "plans.{site}", planning.PlanTold, Kind.REQUEST, 1, False, "1/s a worker"),
    Topic("fleet", "fleet.{site}", ops.FleetView, Kind.SAID, 0, False, "1/s"),
    Topic("poses", "poses.{site}", bytes, Kind.SAID, 0, False, "10/s"),
)


def cell_state(site: SiteId, cell: CellId | str = "+") -> str:
    """Return a cell's retained state topic; without a cell, the pattern for all."""
    return f"{ROOT}/{site}/edge/{cell}/state"


def cell_event(site: SiteId, cell: CellId | str = "+") -> str:
    """Return a cell's event topic; without a cell, the pattern for all."""
    return f"{ROOT}/{site}/edge/{cell}/event"


def cell_ack(site: SiteId, cell: CellId | str = "+") -> str:
    """Return the topic on which a cell hears which events it may forget."""
    return f"{ROOT}/{site}/edge/{cell}/ack"


def cell_command(site: SiteId, cell: CellId | str = "+") -> str:
    """Return a cell's command topic; without a cell, the pattern for all."""
    return f"{ROOT}/{site}/edge/{cell}/command"


def cell_answer(site: SiteId, cell: CellId | str = "+") -> str:
    """Return a cell's answer topic; without a cell, the pattern for all."""
    return f"{ROOT}/{site}/edge/{cell}/answer"


def stop(site: SiteId) -> str:
    """Return the topic of the fleet-wide stop."""
    return f"{ROOT}/{site}/stop"


def work_key(site: SiteId, task: TaskId | str = ">") -> str:
    """Return the log subject of one open task; without a task, the pattern for all."""
    return f"work.{site}.{task}"


def facts_subject(site: SiteId) -> str:
    """Return the log subject of the dispatcher's facts."""
    return f"facts.{site}"


def facts_ack(site: SiteId) -> str:
    """Return the subject on which central says what it has committed."""
    return f"factsack.{site}"


def events(site: SiteId) -> str:
    """Return the log subject of central's published events (CloudEvents 1.0, JSON)."""
    return f"events.{site}"


def lead_key(site: SiteId) -> str:
    """Return the log subject of the key that says which dispatcher leads."""
    return f"lead.{site}"


def ops_subject(site: SiteId) -> str:
    """Return the subject on which the dispatcher answers operators."""
    return f"ops.{site}"


def plans(site: SiteId) -> str:
    """Return the subject on which central gives problems to planner workers, and hears how they go."""
    return f"plans.{site}"


def fleet(site: SiteId) -> str:
    """Return the subject of the fleet view."""
    return f"fleet.{site}"


def poses(site: SiteId) -> str:
    """Return the subject of the binary pose frames (`contracts.poses`)."""
    return f"poses.{site}"

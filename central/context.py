"""What every route and loop of central works with, wired once by `central.service`."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import Depends
from starlette.requests import HTTPConnection

from central.areas.batcher import Batcher
from central.care.caretaker import Caretaker
from central.console.hub import Hub
from central.database import Database
from central.epcis.projector import EpcisProjector
from central.events.published import Published
from central.fleet.board import FleetBoard
from central.identity.access import Doorkeeper
from central.metrics import Metrics
from central.orders.release import Releaser
from central.plans.mover import Mover
from central.settings import CentralSettings
from central.webhooks.pump import WebhookPump
from contracts.runtime.clock import Clock
from contracts.runtime.log import Log
from contracts.site import Site

if TYPE_CHECKING:
    from central.fleet.halt import Halt


class Context(msgspec.Struct, frozen=True):
    """The parts, each made by `central.service.Central`."""

    settings: CentralSettings
    site: Site
    log: Log
    clock: Clock
    database: Database
    doorkeeper: Doorkeeper
    fleet: FleetBoard
    hub: Hub
    metrics: Metrics
    releaser: Releaser
    caretaker: Caretaker
    mover: Mover
    batcher: Batcher
    published: Published
    epcis: EpcisProjector
    webhooks: WebhookPump
    halt: "Halt | None" = None
    """Stops the fleet over the broker; None: the dispatcher is asked."""


async def _context(connection: HTTPConnection) -> Context:
    context: Context = connection.app.state.context
    return context


async def _correlation(connection: HTTPConnection) -> str:
    correlation: str = connection.state.correlation
    return correlation


Here = Annotated[Context, Depends(_context)]
Correlation = Annotated[str, Depends(_correlation)]

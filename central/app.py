"""The REST application: every room's routes behind one front, one shape of error."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.staticfiles import StaticFiles
from starlette.routing import Match, Mount

from central import health, invariants, problems
from central.alarms import routes as alarms
from central.areas import routes as areas
from central.care import policy
from central.console import hub
from central.console import routes as console
from central.context import Context
from central.counts import routes as counts
from central.docks import routes as docks
from central.document import document_of
from central.epcis import routes as epcis
from central.events import asyncapi, stream
from central.fleet import routes as fleet
from central.front import Front
from central.hands import moves as hand_moves
from central.hands import routes as hands
from central.identity import clients
from central.identity import routes as identity
from central.inbound import receiving
from central.inbound import routes as inbound
from central.inbound import rules as inbound_rules
from central.kits import routes as kits
from central.ledger import routes as ledger
from central.loading import manifest
from central.loading import routes as loading
from central.masterdata import customers, items, lots, storage
from central.orders import routes as orders
from central.plans import routes as plans
from central.putaway import routes as putaway
from central.quota import Quota
from central.replenishment import routes as replenishment
from central.returns import routes as returns
from central.rounds import routes as rounds
from central.scrap import routes as scrap
from central.settings import console_folder
from central.shipping import routes as shipping
from central.stock import adjustments, availability, card
from central.stock import routes as stock
from central.stock import status as stock_status
from central.transfers import routes as transfers
from central.transports import routes as transports
from central.units import routes as units
from central.waves import routes as waves
from central.webhooks import routes as webhooks
from central.work import routes as work

VERSION = "1.0.0"
_ROUTERS = (
    items.router,
    lots.router,
    storage.router,
    customers.router,
    inbound.router,
    receiving.router,
    inbound_rules.router,
    docks.router,
    putaway.router,
    availability.router,
    stock_status.router,
    stock.router,
    card.router,
    adjustments.router,
    ledger.router,
    orders.router,
    work.router,
    hand_moves.router,
    hands.router,
    policy.router,
    counts.router,
    replenishment.router,
    returns.router,
    scrap.router,
    kits.router,
    transfers.router,
    transports.router,
    shipping.router,
    units.router,
    rounds.router,
    areas.router,
    waves.router,
    plans.router,
    loading.router,
    manifest.router,
    epcis.router,
    stream.router,
    webhooks.router,
    asyncapi.router,
    alarms.router,
    fleet.router,
    identity.router,
    clients.router,
    invariants.router,
    health.router,
    console.router,
    hub.router,
)


def build(context: Context) -> FastAPI:
    """Build the application of one central."""
    app = FastAPI(
        title="Floorplane",
        version=VERSION,
        summary="Orders in, stock and work, shipments out",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.context = context
    for router in _ROUTERS:
        app.include_router(router)
    problems.install(app)
    settings = context.settings
    app.add_middleware(
        Front,
        doorkeeper=context.doorkeeper,
        metrics=context.metrics,
        quota=Quota(context.clock, settings.rate_per_s, settings.rate_burst_s),
        body_limit_bytes=settings.body_limit_bytes,
        bulk_limit_bytes=settings.bulk_limit_bytes,
    )
    app.openapi = lambda: document_of(app)  # type: ignore[method-assign]  # FastAPI's own way to change the document
    folder = console_folder(settings)
    if folder is not None:
        app.router.routes.append(_Pages("/", _Console(directory=folder, html=True), name="console"))
    return app


_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class _Pages(Mount):
    """Everything but the interface, whose wrong paths and methods are answered by itself."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        if scope.get("path", "").startswith("/v1/"):
            return Match.NONE, {}
        return super().matches(scope)


class _Console(StaticFiles):
    """The console's pages; what a browser keeps of them it asks for again at each start."""

    async def get_response(self, path: str, scope: Any) -> Response:
        response = await super().get_response(path, scope)
        response.headers.setdefault("Cache-Control", "no-cache")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        return response

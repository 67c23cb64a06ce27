"""`floorplane up`: the whole floor on one machine, as supervised processes around an embedded database and broker.

Whatever fails while it starts is named with what to do, and nothing is left running.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from contracts.errors import Rejected, Unavailable
from contracts.ids import identifier
from contracts.site import Site, read_site, write_site
from deploy.embedded.child import refuse_taken
from deploy.embedded.nats import EmbeddedNats
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.floor_time import FloorTime
from deploy.lif_site import lif_site
from deploy.processes.settings import UpSettings
from deploy.state import Running, StateFolder
from deploy.supervise import Child, Supervisor

Say = Callable[[str], None]

CHILDREN = ("central", "simulate", "edge", "dispatcher")
"""In the order in which they start."""
FLEET = ("central", "dispatcher")
"""Those of the profile for foreign robots."""
STANDBY = "standby"
"""The second dispatcher; either of the two may lead."""
STOP_WITHIN_S = 4.5


def up(settings: UpSettings, say: Say, show: Say, config: Path | None = None) -> None:
    """Run the floor until Ctrl-C or SIGTERM. Call it from the main thread.

    Parameters
    ----------
    settings
        What was asked for.
    say
        Told what happens, line by line.
    config
        The TOML file that the settings came from; the children read it too.
    show
        Told the one line with the console's address.

    Raises
    ------
    Rejected
        The order file, the site or an option is bad: nothing was started.
    Unavailable
        Something did not start: the text names it and the remedy, and nothing is left running.
    """
    if settings.orders is not None:
        from simulators.orders import read_rows

        read_rows(settings.orders)
    if "site" in settings.model_fields_set:
        read_site(settings.site)
    _refuse_profile(settings)
    if (settings.nats_url is None) != (settings.mqtt_url is None):
        missing, given = ("nats", "mqtt") if settings.nats_url is None else ("mqtt", "nats")
        bound = f"set when {given}_url is, since the embedded server would serve both"
        raise Rejected(f"{missing}_url (FLOORPLANE_{missing.upper()}_URL)", None, bound)
    asyncio.run(_Up(settings, say, show, config).run(), debug=False)


def _refuse_profile(o: UpSettings) -> None:
    fleet = o.profile == "fleet"
    if o.layout is not None:
        if not fleet:
            raise Rejected("--layout", str(o.layout), "given with --profile fleet")
        lif_site(o.layout)
    if fleet and o.orders is not None:
        raise Rejected("--orders", str(o.orders), "left out with --profile fleet, which has no stock")
    if fleet != (o.robots == "none") and (not fleet or "robots" in o.model_fields_set):
        raise Rejected("--robots", o.robots, "none with --profile fleet, and a number without it")


class _Up:
    def __init__(self, settings: UpSettings, say: Say, show: Say, config: Path | None) -> None:
        self._config = config
        self._settings, self._say, self._show = settings, say, show
        self._state = StateFolder(settings.state)
        self._supervisor = Supervisor(say)

    async def run(self) -> None:
        me = asyncio.current_task()
        assert me is not None  # noqa: S101 - we are in one
        loop = asyncio.get_running_loop()
        self._interrupted = False

        def interrupt() -> None:
            if not self._interrupted:  # a second Ctrl-C does not hurry what has five seconds anyway
                self._interrupted = True
                me.cancel()

        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(sign, interrupt)
        try:
            self._state.take()
            await self._start()
            await self._supervisor.watch()
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
            self._say("stopping")
        finally:
            await self._supervisor.stop(STOP_WITHIN_S)
            self._state.release()

    async def _start(self) -> None:
        o, state = self._settings, self._state
        refuse_taken(o.host, o.port, "console and REST", "stop that program, or choose another port with --port")
        if o.nats_url is None:
            EmbeddedNats(state.nats, o.nats_port, o.mqtt_port).refuse_taken_ports()
        build = self._fleet_site if o.profile == "fleet" else self._reference_site
        site = o.site if "site" in o.model_fields_set else await asyncio.to_thread(build)
        if o.profile != "fleet":
            await asyncio.to_thread(_refuse_taken_devices, read_site(site))
        database_url = o.database_url or await self._database()
        nats_url, mqtt_url = await self._brokers()
        FloorTime.begin(state.floor_time, o.time_scale)
        environment = {
            **{k: v for k, v in os.environ.items() if k in _INHERITED or k.startswith("FLOORPLANE_")},
            **({} if self._config is None else {"FLOORPLANE_CONFIG": str(self._config.absolute())}),
            "PYTHONUNBUFFERED": "1",
            "FLOORPLANE_DATABASE_URL": database_url,
            "FLOORPLANE_NATS_URL": nats_url,
            "FLOORPLANE_MQTT_URL": mqtt_url,
            "FLOORPLANE_SITE": str(site.absolute()),
            "FLOORPLANE_CATALOGUE": str(state.catalogue),
            "FLOORPLANE_STATE": str(state.path),
            "FLOORPLANE_FLOOR_TIME": str(state.floor_time),
            "FLOORPLANE_SECRETS": str(state.secrets),
            "FLOORPLANE_HOST": o.host,
            "FLOORPLANE_PORT": str(o.port),
            "FLOORPLANE_CENTRAL_URL": f"http://{o.host}:{o.port}",
            "FLOORPLANE_SEED": str(o.seed),
            "FLOORPLANE_ADOPT": o.adopt,
            "FLOORPLANE_LOG_LEVEL": o.log_level,
            "FLOORPLANE_LOG_FORMAT": o.log_format,
        }
        if o.orders is not None:
            environment["FLOORPLANE_ORDERS"] = str(o.orders.absolute())
        names: tuple[str, ...] = CHILDREN
        if o.profile == "fleet":  # the controllers of its doors and lifts are real ones
            names = (*FLEET, "edge") if read_site(site).cells else FLEET
        if o.standby:
            environment["FLOORPLANE_STANDBY"] = "true"
        for name in (*names, *((STANDBY,) if o.standby else ())):
            command = [sys.executable, "-m", "deploy.cli", "dispatcher" if name == STANDBY else name]
            # the twins are the floor itself: it does not go back to where it was when a computer is killed
            sign = signal.SIGTERM if name == "simulate" else signal.SIGKILL
            await self._supervisor.start(name, Child(name, command, environment, state.logs, death_signal=sign))
        address = f"http://{o.host}:{o.port}/"
        from central.identity.bootstrap import login_link

        link = f"{address}v1/session/link?token={await login_link(database_url)}"
        state.announce(Running(os.getpid(), database_url, nats_url, mqtt_url, str(site), address))
        self._say(f"logs: {state.logs} · after the first login: user supervisor, password in {state.secrets}")
        self._show(link)

    async def _database(self) -> str:
        server = EmbeddedPostgres(self._state.postgres)
        await self._supervisor.start("postgres", server)
        self._say(f"database: embedded PostgreSQL in {self._state.postgres}")
        return server.url()

    async def _brokers(self) -> tuple[str, str]:
        o = self._settings
        if o.nats_url is not None and o.mqtt_url is not None:
            self._say(f"log: {_shown(o.nats_url)} · floor (MQTT): {_shown(o.mqtt_url)} · nothing embedded")
            return o.nats_url, o.mqtt_url
        server = EmbeddedNats(self._state.nats, o.nats_port, o.mqtt_port)
        await self._supervisor.start("nats", server)
        self._say(f"log: embedded nats-server, {server.url} · floor: the same server, {server.mqtt_url}")
        return server.url, server.mqtt_url

    def _fleet_site(self) -> Path:
        """Make the site of the LIF file; without one take that of the last time."""
        o, state = self._settings, self._state
        if o.layout is None:
            if not state.site.exists():
                raise Rejected("--layout", None, "a LIF file, the first time that a fleet is run")
            return state.site
        site = lif_site(o.layout)
        if state.site.exists() and (old := read_site(state.site)).id != site.id:
            raise Rejected("--layout", site.id, f"of the site of {state.path}, which is {old.id}; use another --state")
        write_site(site, state.site)
        self._say(f"site: {site.id} of {o.layout}: {len(site.layout.nodes)} nodes, places {', '.join(site.places)}")
        return state.site

    def _reference_site(self) -> Path:
        """Build the reference site and its catalogue where there are none, and see that the orders fit it."""
        from simulators.catalogue import Catalogue, read_catalogue, write_catalogue
        from simulators.orders import read_rows
        from simulators.site import build

        o, state = self._settings, self._state
        if not state.site.exists():
            robots = o.robots if isinstance(o.robots, int) else 0
            catalogue = Catalogue.seeded(o.seed) if o.orders is None else Catalogue.from_orders(o.orders, o.seed)
            write_catalogue(catalogue, state.catalogue)
            write_site(build(o.seed, catalogue, robots, base_port=o.device_port), state.site)
            self._say(f"site: built the reference site with {robots} robots and {len(catalogue.items)} items")
        elif o.orders is not None:
            known = {i.id for i in read_catalogue(state.catalogue).items}
            for row in read_rows(o.orders):
                if identifier(row.sku) not in known:
                    raise Rejected(
                        f"{o.orders}:{row.line_no}/sku",
                        row.sku,
                        f"an item of this floor, which was built for other orders; `make reset` empties {state.path}",
                    )
        return state.site


def _refuse_taken_devices(site: Site) -> None:
    """Make sure that the twins can listen; those of an `up` that was killed a moment ago may still be leaving.

    Raises
    ------
    Unavailable
        Somebody else listens at the address of a device; names it.
    """
    deadline = time.monotonic() + _LEAVING_S
    for cell in site.cells:
        for device in cell.devices:
            url = urlsplit(device.address)
            if url.hostname != "127.0.0.1" or url.port is None:
                continue
            remedy = "stop that program, or build the site elsewhere: `make reset`, then --device-port"
            while True:
                try:
                    refuse_taken(url.hostname, url.port, f"device {device.id}", remedy)
                    break
                except Unavailable:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)


_LEAVING_S = 3.5
_INHERITED = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "NUMBA_CACHE_DIR", "USER"}


def _shown(url: str) -> str:
    """Return a URL without what stands before its host."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"

"""The daemon on the floor: one process, one `CellDaemon` for each of its cells."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Literal

from contracts.errors import Rejected
from contracts.ids import CellId
from contracts.runtime.clock import Clock
from contracts.runtime.floor import FloorConnector
from contracts.runtime.logging import get_log
from contracts.site import Site
from controllers.ports import Devices
from edge.buffer import Buffer, MemoryBuffer, SqliteBuffer
from edge.cell import BinMap
from edge.cell_daemon import CellDaemon
from edge.settings import EdgeSettings, read_hot

_log = get_log("edge")


class Edge:
    """One edge process: some or all cells of a site.

    Parameters
    ----------
    settings, site
        How, and where.
    cells
        Which cells; "all" for the whole site.
    floor, devices, clock
        The world outside.
    buffers
        Makes the buffer of a cell; by default a file under `settings.state`, or in memory where there is none.

    Raises
    ------
    Rejected
        A cell is not of the site, or a device's driver or address is not known.
    """

    name = "edge"

    def __init__(
        self,
        settings: EdgeSettings,
        site: Site,
        cells: Sequence[CellId] | Literal["all"],
        floor: FloorConnector,
        devices: Devices,
        clock: Clock,
        *,
        buffers: Callable[[CellId], Buffer] | None = None,
        on_level: Callable[[str], None] | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self._settings, self._on_level = settings, on_level
        self._hot = read_hot(settings)
        known = {c.id: c for c in site.cells}
        wanted = list(known) if cells == "all" else list(cells)
        for cell in wanted:
            if cell not in known:
                raise Rejected("cells", cell, f"a cell of site {site.id} ({', '.join(known)})")
        bins = BinMap.of(site)
        make = buffers or self._buffer
        self.cells = [CellDaemon(settings, site, known[c], floor, devices, clock, make(c), bins) for c in wanted]
        self._apply()

    async def run(self) -> None:
        """Run all cells until cancelled. SIGHUP reads the settings file again, where there is one."""
        loop = asyncio.get_running_loop()
        if self._settings.file is not None:
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        try:
            async with asyncio.TaskGroup() as group:
                for cell in self.cells:
                    group.create_task(cell.run(), name=cell.name)
                group.create_task(self._watch(), name="edge.ready")
        finally:
            self.ready.clear()
            if self._settings.file is not None:
                loop.remove_signal_handler(signal.SIGHUP)

    def reload(self) -> None:
        """Read the settings file again; a bad one changes nothing and says why."""
        try:
            self._hot = read_hot(self._settings)
        except Rejected as e:
            _log.error("settings not taken", reason=str(e))
            return
        self._apply()
        _log.info("settings taken", log_level=self._hot.log_level, tolerances=self._hot.tolerances)

    def _apply(self) -> None:
        for cell in self.cells:
            cell.retune(self._hot.tolerances)
        if self._on_level is not None:
            self._on_level(self._hot.log_level)

    async def _watch(self) -> None:
        for cell in self.cells:
            await cell.ready.wait()
        self.ready.set()

    def _buffer(self, cell: CellId) -> Buffer:
        if self._settings.state is None:
            return MemoryBuffer(cell, self._settings.buffer_limit)
        return SqliteBuffer(cell, self._settings.state / "edge" / f"{cell}.db", self._settings.buffer_limit)

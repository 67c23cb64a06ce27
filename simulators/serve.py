"""The floor's devices over their real protocols: each twin behind a server at the address that the site names."""

import asyncio
from collections.abc import Collection
from typing import Protocol

from contracts.errors import Rejected
from contracts.ids import CellId
from contracts.runtime.clock import Clock
from contracts.site import Device
from simulators.camera import CameraTwin
from simulators.floor import SimulatedFloor
from simulators.person import Attention
from simulators.printer import PrinterTwin
from simulators.scale import ScaleTwin
from simulators.scanner import ScannerTwin
from simulators.servers.modbus import ModbusServer
from simulators.servers.opcua import OpcUaServer
from simulators.servers.sockets import CameraServer, PrinterServer, ScaleServer, ScannerServer
from simulators.tag_bank import TagBank
from simulators.twin import Twin


class DeviceServer(Protocol):
    """A listening port."""

    address: str

    async def open(self) -> None:
        """Listen; again without effect."""
        ...

    async def close(self) -> None:
        """Stop listening and hang up; again without effect."""
        ...


class ServedDevices:
    """Serves the devices of a floor; a service. A twin that fails stops listening until it is repaired.

    Parameters
    ----------
    cells
        Only these; None: all. The others may be there for real.
    """

    def __init__(self, floor: SimulatedFloor, clock: Clock, cells: Collection[CellId] | None = None) -> None:
        self.name, self.ready = "served devices", asyncio.Event()
        self._clock = clock
        self._pairs = [
            (floor.twins[d.id], self._server(floor.twins[d.id], d))
            for c in floor.site.cells
            for d in c.devices
            if cells is None or c.id in cells
        ]

    async def run(self) -> None:
        """Serve until cancelled.

        Raises
        ------
        Unavailable
            A port is taken; names the device's address.
        """
        try:
            for _, server in self._pairs:
                await server.open()
            async with asyncio.TaskGroup() as group:
                for twin, server in self._pairs:
                    group.create_task(self._keep(twin, server), name=f"serve {twin.device}")
                self.ready.set()
        finally:
            for _, server in self._pairs:
                await server.close()

    async def _keep(self, twin: Twin, server: DeviceServer) -> None:
        look = Attention()
        end = twin.power.add(look.call)
        try:
            while True:
                await (server.close() if twin.down else server.open())
                await look.wait()
        finally:
            end()

    def _server(self, twin: Twin, device: Device) -> DeviceServer:
        match device.driver, twin:
            case "tcp_scanner", ScannerTwin():
                return ScannerServer(twin, device.address)
            case "tcp_scale", ScaleTwin():
                return ScaleServer(twin, device.address, self._clock.sleep)
            case "tcp_printer", PrinterTwin():
                return PrinterServer(twin, device.address)
            case "camera", CameraTwin():
                return CameraServer(twin, device.address)
            case "modbus", TagBank():
                return ModbusServer(twin, device.address)
            case "opcua", TagBank():
                return OpcUaServer(twin, device.address)
            case driver, _:
                raise Rejected(f"devices/{device.id}/driver", driver, f"one that serves a {device.role}")

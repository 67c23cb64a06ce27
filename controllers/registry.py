"""Which driver speaks to which device: the one table of driver names."""

from collections.abc import Callable

from contracts.errors import Rejected
from contracts.runtime.clock import Clock
from contracts.site import Device
from controllers.ports import Driver
from controllers.tags import TABLES, Tag

PERIOD_S = {"line": 0.05, "panel": 0.1, "door": 0.1, "lift": 0.1}
"""Time between two polls, by role."""


def _table(device: Device) -> tuple[Tag, ...]:
    if device.role not in TABLES:
        raise Rejected(f"devices/{device.id}/role", device.role, f"a role with a tag table ({', '.join(TABLES)})")
    return TABLES[device.role]


def _scanner(device: Device, clock: Clock) -> Driver:
    from controllers.scanner.link import TcpScanner

    return TcpScanner(device.id, device.address, clock)


def _scale(device: Device, clock: Clock) -> Driver:
    from controllers.scale import TcpScale

    return TcpScale(device.id, device.address, clock)


def _printer(device: Device, clock: Clock) -> Driver:
    from controllers.printer import TcpPrinter

    return TcpPrinter(device.id, device.address, clock)


def _modbus(device: Device, clock: Clock) -> Driver:
    from controllers.modbus import ModbusPlc

    return ModbusPlc(device.id, device.address, clock, _table(device), PERIOD_S[device.role])


def _opcua(device: Device, clock: Clock) -> Driver:
    from controllers.opcua import OpcUaPlc

    return OpcUaPlc(device.id, device.address, clock, _table(device))


def _camera(device: Device, clock: Clock) -> Driver:
    from controllers.camera import HttpCamera

    return HttpCamera(device.id, device.address, clock)


DRIVERS: dict[str, Callable[[Device, Clock], Driver]] = {
    "tcp_scanner": _scanner,
    "tcp_scale": _scale,
    "tcp_printer": _printer,
    "modbus": _modbus,
    "opcua": _opcua,
    "camera": _camera,
}
"""By the name in the site file. What a driver needs is loaded when the first of its kind is opened."""


class Registry:
    """Opens the real devices of a site.

    Parameters
    ----------
    clock
        Floor time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def open(self, device: Device) -> Driver:
        """Return the driver of a device, not yet running.

        Raises
        ------
        Rejected
            No such driver, or an address that it cannot read.
        """
        make = DRIVERS.get(device.driver)
        if make is None:
            raise Rejected(f"devices/{device.id}/driver", device.driver, f"one of {', '.join(DRIVERS)}")
        return make(device, self._clock)

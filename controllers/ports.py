"""What a cell may ask of a device, whichever driver or twin is behind it.

A driver connects, reconnects and polls in `run`, and reports each change of its quality. A twin in memory has the same
shape and is served over the real protocol by `simulators.serve`.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from contracts.messages.floor import DeviceState
from contracts.site import Device

StateHandler = Callable[[DeviceState], None]
TagValue = int | bool


class Driver(Protocol):
    """The life of any device connection."""

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        ...

    async def run(self) -> None:
        """Keep the device connected until cancelled; raises only what no retry can mend (`Rejected`)."""
        ...


class Scan(msgspec.Struct, frozen=True):
    """One reading; `code` is empty for a failed one."""

    code: str
    at_ms: int


class Scanner(Driver, Protocol):
    """A barcode scanner."""

    def on_scan(self, handler: Callable[[Scan], None]) -> None:
        """Hear each reading."""
        ...


class Weight(msgspec.Struct, frozen=True):
    """What lies on a scale."""

    weight_g: int
    stable: bool
    at_ms: int


class Scale(Driver, Protocol):
    """A scale under a pick place or a packing place."""

    async def weigh(self, timeout_s: float = 2.0) -> Weight:
        """Return the next stable weight.

        Raises
        ------
        Unavailable
            The scale does not answer or does not come to rest in time.
        """
        ...


class Printer(Driver, Protocol):
    """A label printer that reads ZPL II."""

    async def print_label(self, zpl: str) -> None:
        """Print one label.

        Raises
        ------
        Unavailable
            The printer cannot be reached.
        """
        ...


class Plc(Driver, Protocol):
    """A controller behind a table of named tags (`controllers.tags`)."""

    def on_change(self, handler: Callable[[dict[str, TagValue], int], None]) -> None:
        """Hear changed input tags and the time (ms) at which they were read; all of them after each (re)connection."""
        ...

    async def write(self, values: dict[str, TagValue]) -> None:
        """Write output tags, in the order given, neighbouring registers in one request.

        Raises
        ------
        Unavailable
            The controller cannot be reached now.
        Rejected
            A tag is not in the table, cannot be written, or the value does not fit it.
        """
        ...


class Camera(Driver, Protocol):
    """A camera that gives pictures when asked."""

    async def grab(self) -> tuple[bytes, int]:
        """Return one picture (JPEG or PNG) and the time (ms) of its exposure.

        Raises
        ------
        Unavailable
            No picture came in time.
        """
        ...


class Devices(Protocol):
    """Opens a site's devices: `controllers.registry` for real ones, a simulated floor for twins in memory."""

    def open(self, device: Device) -> Driver:
        """Return the driver of a device, not yet running.

        Raises
        ------
        Rejected
            No such driver, or an address that it cannot read.
        """
        ...

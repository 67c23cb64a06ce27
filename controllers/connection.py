"""One connection that comes back: how a driver's quality is told, and how long it waits before it tries again."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

from contracts.errors import Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.messages.floor import DeviceState, Quality
from contracts.runtime.cancellation import heed_cancellation
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from controllers.ports import StateHandler

_log = get_log("controllers")
CONNECT_S = 5.0
_FIRST_BACK_OFF_S, _LAST_BACK_OFF_S = 0.2, 5.0
_KEEPALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))


class Connection:
    """The quality of a device, and a session with it that is opened again whenever it ends.

    GOOD while a session works; STALE from its end until the next attempt has failed, too; then BAD.

    Parameters
    ----------
    device
        Its name, for the log.
    address
        Where it is, for the texts.
    clock
        Gives the times that are told.
    """

    def __init__(self, device: DeviceId, address: str, clock: Clock) -> None:
        self._device, self._address, self._clock = device, address, clock
        self._state = DeviceState(Quality.BAD, clock.now_ms(), f"{address}: not connected yet")
        self._handlers: list[StateHandler] = []

    @property
    def good(self) -> bool:
        """Whether a session works."""
        return self._state.quality is Quality.GOOD

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        self._handlers.append(handler)
        handler(self._state)

    def works(self) -> None:
        """Say that the session works."""
        self._set(Quality.GOOD, "")

    def check(self) -> None:
        """Raise `Unavailable` unless a session works."""
        if not self.good:
            raise Unavailable(f"{self._device}: {self._state.text}")

    async def keep(self, session: Callable[[], Awaitable[None]]) -> None:
        """Run a session again and again until cancelled; it ends by `Unavailable` or an error of the network."""
        back_off_s = _FIRST_BACK_OFF_S
        if self.good:  # as an earlier run left it
            self._set(Quality.STALE, f"{self._address}: connecting anew")
        while True:
            try:
                await session()
                reason = "it closed the connection"
            except (Unavailable, OSError, EOFError, TimeoutError) as e:
                reason = str(e) or type(e).__name__
            heed_cancellation()
            if self.good:
                back_off_s = _FIRST_BACK_OFF_S
                self._set(Quality.STALE, f"{self._address}: {reason}")
            else:
                self._set(Quality.BAD, f"{self._address}: {reason}")
            await asyncio.sleep(back_off_s)  # the network's time, not the floor's
            back_off_s = min(_LAST_BACK_OFF_S, back_off_s * 2)

    def _set(self, quality: Quality, text: str) -> None:
        before, self._state = self._state, DeviceState(quality, self._clock.now_ms(), text)
        if (before.quality, before.text) == (quality, text):
            return
        if quality is not before.quality:
            _log.info("device", device=self._device, quality=quality.value, text=text)
        for handler in self._handlers:
            handler(self._state)


def host_port(address: str, scheme: str) -> tuple[str, int, str]:
    """Read ``scheme://host:port/path``; returns host, port and the path without its first slash.

    Raises
    ------
    Rejected
        It is not such an address.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as e:
        raise Rejected("address", address, f"{scheme}://host:port: {e}") from e
    if parts.scheme != scheme or not host or not port:
        raise Rejected("address", address, f"{scheme}://host:port")
    return host, port, parts.path.removeprefix("/")


@contextlib.asynccontextmanager
async def dial(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a TCP connection that notices within about ten seconds when its peer has vanished.

    Raises
    ------
    Unavailable
        Nobody answers there within five seconds.
    """
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port, limit=1 << 16)
    except TimeoutError as e:
        raise Unavailable(f"no answer within {CONNECT_S:.0f} s") from e
    except OSError as e:
        raise Unavailable(str(e)) from e
    try:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in _KEEPALIVE:
            if (option := getattr(socket, name, None)) is not None:
                raw.setsockopt(socket.IPPROTO_TCP, option, value)
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()

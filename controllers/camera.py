"""A camera that gives a still picture over HTTP."""

import asyncio

import httpx

from contracts.errors import Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.runtime.clock import Clock
from controllers.connection import Connection
from controllers.ports import StateHandler

_LOOK_S = 30.0
_LARGEST = 20_000_000


class HttpCamera:
    """The driver.

    Parameters
    ----------
    device, address
        Its name, and the URL of the picture.
    clock
        Gives the time of exposure: the middle between question and answer.
    timeout_s
        How long a picture may take.
    """

    def __init__(self, device: DeviceId, address: str, clock: Clock, timeout_s: float = 3.0) -> None:
        if httpx.URL(address).scheme not in {"http", "https"}:
            raise Rejected("address", address, "http://host:port/path")
        self._device, self._address, self._clock, self._timeout_s = device, address, clock, timeout_s
        self._connection = Connection(device, address, clock)
        self._client: httpx.AsyncClient | None = None

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        self._connection.on_state(handler)

    async def run(self) -> None:
        """Look after the camera until cancelled."""
        async with httpx.AsyncClient(timeout=self._timeout_s, trust_env=False) as client:
            self._client = client
            try:
                await self._connection.keep(self._session)
            finally:
                self._client = None

    async def grab(self) -> tuple[bytes, int]:
        """Return one picture (JPEG or PNG) and the time (ms) of its exposure.

        Raises
        ------
        Unavailable
            No picture came in time.
        """
        if self._client is None:
            raise Unavailable(f"{self._device}: not running")
        asked_ms = self._clock.now_ms()
        try:
            answer = await self._client.get(self._address)
            answer.raise_for_status()
        except httpx.HTTPError as e:
            raise Unavailable(f"{self._device}: {e or type(e).__name__}") from e
        kind = answer.headers.get("content-type", "").split(";")[0]
        if kind not in {"image/jpeg", "image/png"} or len(answer.content) > _LARGEST:
            raise Unavailable(f"{self._device}: {kind or 'nothing named'} of {len(answer.content)} bytes is no picture")
        return answer.content, (asked_ms + self._clock.now_ms()) // 2

    async def _session(self) -> None:
        while True:
            await self.grab()
            self._connection.works()
            await asyncio.sleep(_LOOK_S)

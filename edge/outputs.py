"""What a cell does to its devices: each has one worker that does one thing after the other, until it is done."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

from contracts.errors import Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.messages.floor import DeviceState, Quality
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from controllers.ports import Camera, Driver, Plc, Printer, Scale, TagValue
from edge.rules.port import Grab, Input, Pictured, Print, Printed, Weigh, Weighed, Write

_log = get_log("edge")
Task = Write | Print | Weigh | Grab
Develop = Callable[[DeviceId, bytes, int], Awaitable[str]]
"""Keeps a picture (device, picture, time in ms) and returns its name."""
_MOST = 1000
_AGAIN_S = 2.0


class Hand:
    """The worker of one device.

    A controller that was away is written its whole image when it is back, since it may have lost it; single steps that
    could not be written meanwhile are part of it. A label waits for the printer; a weight or a picture is tried twice.

    Parameters
    ----------
    device, driver
        What it works on.
    clock
        Floor time.
    feed
        Takes the answers.
    develop
        Keeps pictures; None: there are none.
    """

    def __init__(
        self,
        device: DeviceId,
        driver: Driver,
        clock: Clock,
        feed: Callable[[Input], None],
        develop: Develop | None = None,
    ) -> None:
        self._device, self._driver, self._clock, self._feed, self._develop = device, driver, clock, feed, develop
        self._tasks: deque[Task] = deque()
        self._awake = asyncio.Event()
        self._image: dict[str, TagValue] = {}
        self._renew = False
        self._good = asyncio.Event()

    def do(self, task: Task) -> None:
        """Take one more thing to do; beyond a thousand the oldest writes are left to the image."""
        if len(self._tasks) >= _MOST:
            oldest = self._tasks.popleft()
            _log.error("device does not follow", device=self._device, dropped=type(oldest).__name__)
            self._renew = True
        self._tasks.append(task)
        self._awake.set()

    def heard(self, state: DeviceState) -> None:
        """Take the device's state."""
        if state.quality is Quality.GOOD:
            if not self._good.is_set():
                self._renew = bool(self._image)
                self._good.set()
                self._awake.set()
        else:
            self._good.clear()

    async def run(self) -> None:
        """Work until cancelled. What was left undone by an earlier run is not done any more: the rules begin anew."""
        self._tasks.clear()
        self._image.clear()
        self._renew = False
        while True:
            await self._awake.wait()
            if self._renew:
                await self._write(dict(self._image))
                continue
            if not self._tasks:
                self._awake.clear()
                continue
            await self._one(self._tasks.popleft())

    async def _one(self, task: Task) -> None:
        match task:
            case Write(values=values):
                for name, value in values.items():  # in the order of the table: what makes the rest valid stays last
                    self._image[name] = value
                await self._write(values)
            case Print(token=token, zpl=zpl):
                await self._print(zpl)
                self._feed(Printed(self._device, token))
            case Weigh(token=token):
                self._feed(Weighed(self._device, token, await self._weigh()))
            case Grab(token=token):
                self._feed(Pictured(self._device, token, await self._grab()))

    async def _write(self, values: dict[str, TagValue]) -> None:
        await self._good.wait()
        self._renew = False
        try:
            await cast("Plc", self._driver).write(values)
        except Unavailable as e:
            _log.warning("not written", device=self._device, reason=str(e))
            self._renew = True
            await self._clock.sleep(_AGAIN_S)

    async def _print(self, zpl: str) -> None:
        while True:
            try:
                await cast("Printer", self._driver).print_label(zpl)
            except Unavailable as e:
                _log.warning("not printed", device=self._device, reason=str(e))
                await self._clock.sleep(_AGAIN_S)
            else:
                return

    async def _weigh(self) -> int | None:
        for last in (False, True):
            try:
                return (await cast("Scale", self._driver).weigh()).weight_g
            except Unavailable as e:
                _log.warning("not weighed", device=self._device, reason=str(e), given_up=last)
        return None

    async def _grab(self) -> str:
        if self._develop is None:
            return ""
        for last in (False, True):
            try:
                picture, at_ms = await cast("Camera", self._driver).grab()
                return await self._develop(self._device, picture, at_ms)
            except (Unavailable, Rejected) as e:
                _log.warning("no picture", device=self._device, reason=str(e), given_up=last)
        return ""

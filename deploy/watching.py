"""The stations' cameras on a day: what vision reads on the face of a pod is told to central.

It knows what any client knows: the site, what the dispatcher tells the stations, and pixels. A bin whose label is not
to be seen looks empty. Central has what differs from its books counted.
"""

import asyncio
from collections.abc import Mapping
from typing import cast

import httpx

from contracts import topics
from contracts.codec import decode
from contracts.errors import Unavailable
from contracts.ids import BinId, CellId, DeviceId, ItemId
from contracts.messages.floor import EdgeCommand, PresentPod
from contracts.runtime.clock import Clock
from contracts.runtime.floor import FloorConnector
from contracts.runtime.logging import get_log
from contracts.site import Bin, Site
from controllers.ports import Camera, Devices
from vision.pipeline import Observation, Pipeline

_log = get_log("day.cameras")
_LEVELS = _COLUMNS = 4
_SETTLE_S = 5.0
"""From the order to the station to the picture: the pod stands, and its pick is shown."""
_FORMATS = ("EAN13",)


class Watcher:
    """Looks at each side of each pod once a day, when it is shown at a station; a service.

    Parameters
    ----------
    devices
        Opens the cameras.
    items
        By barcode.
    client, token
        Central, and a token of the role device.
    """

    def __init__(
        self, site: Site, floor: FloorConnector, devices: Devices, items: Mapping[str, ItemId],
        client: httpx.AsyncClient, token: str, clock: Clock,
    ) -> None:  # fmt: skip
        self.name, self.ready = "cameras", asyncio.Event()
        self._site, self._floor, self._devices, self._items = site, floor, devices, items
        self._client, self._headers, self._clock = client, {"Authorization": f"Bearer {token}"}, clock
        self._face = {b.id: (p.id, b.face) for p in site.pods for b in p.bins}
        self._bins: dict[tuple[str, int], list[Bin]] = {}
        for pod in site.pods:
            for b in pod.bins:
                self._bins.setdefault((pod.id, b.face), []).append(b)
        self._looked: set[tuple[str, int]] = set()
        self._shown: asyncio.Queue[tuple[CellId, PresentPod]] = asyncio.Queue()
        self.pictures = self.told = self.doubts = 0

    async def run(self) -> None:
        """Look until cancelled."""
        cameras = {
            c.id: (d.id, cast("Camera", self._devices.open(d)))
            for c in self._site.cells for d in c.devices if d.role == "camera"
        }  # fmt: skip
        floor = await self._floor.connect("cameras")
        try:
            async with asyncio.TaskGroup() as group:
                for name, driver in cameras.values():
                    group.create_task(driver.run(), name=f"camera {name}")
                await floor.subscribe(topics.cell_command(self._site.id), self._hear)
                self.ready.set()
                while True:
                    cell, shown = await self._shown.get()
                    if cell in cameras:
                        await self._clock.sleep(_SETTLE_S)
                        await self._look(*cameras[cell], shown)
        finally:
            await floor.close()

    def _hear(self, _: str, payload: bytes) -> None:
        command = decode(payload, EdgeCommand)
        body = command.body
        if not isinstance(body, PresentPod) or not body.picks:
            return
        faces = {self._face[p.bin] for p in body.picks}
        if len(faces) == 1 and not faces & self._looked:  # else nobody knows from here which side is shown
            self._looked |= faces
            self._shown.put_nowait((command.cell, body))

    async def _look(self, device: DeviceId, camera: Camera, shown: PresentPod) -> None:
        try:
            picture, at_ms = await camera.grab()
        except Unavailable as e:
            _log.warning("no picture", device=device, reason=str(e))
            return
        seen = Pipeline(device, formats=_FORMATS).look(picture, at_ms)
        codes = _codes(seen)
        if not {p.barcode for p in shown.picks} & set(codes.values()):
            return  # the pick is done already, and another side may be shown
        self.pictures += 1
        for b in self._bins[self._face[shown.picks[0].bin]]:
            if b.id not in {p.bin for p in shown.picks}:  # there hands are at work
                await self._tell(device, b.id, codes.get((b.level, b.column), ""), seen.sha256)

    async def _tell(self, camera: DeviceId, place: BinId, code: str, picture: str) -> None:
        item = self._items.get(code)
        body = {"place": place, "empty": not code, "camera": camera, "picture": picture} | (
            {"item": item} if item else {}
        )
        key = {"Idempotency-Key": f"{picture[:32]}/{place}"}
        answer = await self._client.post("/v1/counts/observations", json=body, headers=self._headers | key)
        if not answer.is_success:
            _log.warning("not taken", place=place, detail=answer.text[:300])
            return
        self.told += 1
        self.doubts += answer.json()["outcome"] == "open"


def _codes(seen: Observation) -> dict[tuple[int, int], str]:
    """Return the code on each bin's label, by level and column: the face fills the picture, the lowest level below."""
    found = {}
    for code in seen.barcodes:
        left, top, right, bottom = code.box
        column = (left + right) * _COLUMNS // (2 * seen.width)
        level = _LEVELS - 1 - (top + bottom) * _LEVELS // (2 * seen.height)
        found[level, column] = code.text
    return found

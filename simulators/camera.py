"""A station camera's twin: draws the pod's face when somebody takes a picture, and never otherwise."""

import random

from contracts.ids import DeviceId
from contracts.site import Station
from simulators.scenes import Shelf, empty_place, jpeg, pod_face
from simulators.tag_bank import TagBank
from simulators.twin import Twin
from simulators.world import World

_LEVELS, _COLUMNS = 4, 4
_FULL_PIECES = 40


class CameraTwin(Twin):
    """One camera, looking at the face of the pod that the panel shows."""

    def __init__(self, device: DeviceId, station: Station, world: World, panel: TagBank, rng: random.Random) -> None:
        super().__init__(device)
        self._node, self._world, self._panel, self._rng = station.lane[-1], world, panel, rng

    def picture(self) -> bytes:
        """Return what it sees now, as JPEG."""
        pod, face = self._world.pod_on(self._node), self._panel["show_face"]
        if pod is None:
            return jpeg(empty_place())
        shelves = []
        for level in range(_LEVELS):
            for column in range(_COLUMNS):
                if (bin_ := self._world.bin_at(pod, face, level, column)) is not None:
                    content = next(iter(self._world.bins[bin_.id].items()), None)
                    code = self._world.items[content[0]].barcode if content else ""
                    shelves.append(Shelf(level, column, code, content[1] / _FULL_PIECES if content else 0.0))
        return jpeg(pod_face(pod, shelves, _LEVELS, _COLUMNS, self._rng.getrandbits(32)))

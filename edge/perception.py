"""Pictures of a cell as evidence: looked at for barcodes, and kept under a name, the newest so many."""

import asyncio
from pathlib import Path

import msgspec

from contracts.ids import DeviceId
from contracts.runtime.clock import real
from vision.pipeline import Pipeline


class Darkroom:
    """Keeps pictures and what was read in them.

    Parameters
    ----------
    folder
        Where; ``NAME.jpg`` or ``NAME.png`` with the observation as ``NAME.json`` beside it.
    keep
        How many; the oldest goes first.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder, self._keep = folder, keep
        self._pipelines: dict[DeviceId, Pipeline] = {}

    async def keep(self, device: DeviceId, picture: bytes, at_ms: int) -> str:
        """Look at a picture and keep it; return its name.

        Raises
        ------
        Rejected
            It is no picture.
        """
        pipeline = self._pipelines.setdefault(device, Pipeline(device))
        return await real(asyncio.to_thread(self._develop, pipeline, picture, at_ms))

    def _develop(self, pipeline: Pipeline, picture: bytes, at_ms: int) -> str:
        observation = pipeline.look(picture, at_ms)
        name = f"{observation.camera}-{at_ms}-{observation.sha256[:8]}"
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{name}.{observation.format}").write_bytes(picture)
        (self._folder / f"{name}.json").write_bytes(msgspec.json.encode(observation))
        kept = sorted(self._folder.glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))
        for old in kept[: max(0, len(kept) - self._keep)]:
            for part in self._folder.glob(f"{old.stem}.*"):
                part.unlink(missing_ok=True)
        return name

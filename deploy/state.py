"""The folder where a floor on one machine keeps everything: `.floorplane/`."""

import shutil
from pathlib import Path

import msgspec

from contracts.errors import Rejected, Unavailable
from deploy.lock import FolderLock

FOLDER = Path(".floorplane")


class Running(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `up` tells the other commands about itself while it runs; readable by its user alone."""

    pid: int
    database_url: str
    nats_url: str
    mqtt_url: str
    site: str
    console: str


class StateFolder:
    """Paths in the folder, and who owns it."""

    def __init__(self, path: Path = FOLDER) -> None:
        self.path = path.absolute()
        self.lock = FolderLock(self.path, "floorplane")
        self.site = self.path / "site.json"
        self.catalogue = self.path / "catalogue.json"
        self.postgres = self.path / "postgres"
        self.nats = self.path / "nats"
        self.logs = self.path / "logs"
        self.secrets = self.path / "secrets.json"
        self.floor_time = self.path / "floor_time.json"
        self._running = self.path / "running.json"

    def take(self) -> None:
        """Become the owner, and keep other users out.

        Raises
        ------
        Unavailable
            Another `floorplane up` runs on it; names its process and what to do.
        """
        try:
            self.lock.take()
        except Unavailable as e:
            raise Unavailable(
                f"`floorplane up` runs already on {self.path} (process {self.lock.owner()}); "
                "stop it with Ctrl-C, or use another folder with --state"
            ) from e
        self.path.chmod(0o700)
        self._running.unlink(missing_ok=True)

    def release(self) -> None:
        """Let the next one have it."""
        if self.lock.held:
            self._running.unlink(missing_ok=True)
            self.lock.release()

    def announce(self, running: Running) -> None:
        """Write down what runs."""
        scratch = self._running.with_suffix(".new")
        scratch.write_bytes(msgspec.json.format(msgspec.json.encode(running), indent=1))
        scratch.chmod(0o600)
        scratch.replace(self._running)

    def running(self) -> Running | None:
        """Return what runs now, None where nothing does."""
        if not self._running.exists():
            return None
        try:
            probe = FolderLock(self.path, "floorplane").take()
        except Unavailable:
            return msgspec.json.decode(self._running.read_bytes(), type=Running)
        probe.release()
        return None  # left by one that was killed

    def reset(self) -> None:
        """Remove everything, once nobody uses it.

        Raises
        ------
        Unavailable
            `floorplane up` runs on it.
        Rejected
            The folder does not look like ours.
        """
        if not self.path.exists():
            return
        strange = [p.name for p in self.path.iterdir() if p.name.split(".")[0] not in _OURS]
        if strange:
            raise Rejected("--state", str(self.path), f"a folder of floorplane's alone (what is {strange[0]!r}?)")
        self.take()
        shutil.rmtree(self.path)
        self.release()


_OURS = {
    "lock", "site", "catalogue", "postgres", "nats", "logs", "secrets", "floor_time", "running", "edge", "pictures",
    "erp", "dispatcher", "central", "simulators", "recordings",
}  # fmt: skip

"""What a dispatcher process is told at its start."""

from pathlib import Path

import msgspec

from contracts.errors import Rejected
from dispatcher.params import Params


class DispatcherSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the shell runs the core.

    Raises
    ------
    Rejected
        A rate is out of its bounds.
    """

    journal: Path | None = None
    """Folder of the recording, without which a restart knows nothing; None: nothing is kept (only for tests)."""
    fsync: bool = True
    """Bring the recording to the disk every 100 ms, in a thread. Off on virtual time, where files are written
    many steps at a time and nothing waits for the disk."""
    publish_views: bool = True
    """Say the fleet view and pose frames for consoles. Off where nobody looks: on virtual time no timer then runs."""
    view_hz: float = 1.0
    pose_hz: float = 5.0
    standby: bool = False
    """Several dispatchers with one journal: one of them leads (see `lead`), the others follow its recording."""
    client_id: str = "dispatcher"
    """MQTT client id: a second dispatcher with it drops the first."""
    params: Params = Params()

    def __post_init__(self) -> None:
        for field in ("view_hz", "pose_hz"):
            if not 0 < getattr(self, field) <= 50:
                raise Rejected(field, getattr(self, field), "in (0, 50] Hz")

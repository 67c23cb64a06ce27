"""The recording: what was heard and what was commanded, in append-only segments that survive a kill at any byte.

A segment is a file of frames: ``u32 length``, ``u32 crc32``, then that many bytes (little-endian). The first frame is
the header (msgpack): site, parameters, epoch, code version, and a snapshot of the core as it was then, or none where
the core was new. Each other frame is one step: ``i64 now_ms``, ``u32 length of facts``, facts and commands (msgpack),
and 16 bytes of a hash that runs over all steps since the first segment, so that no step can be changed or left out
unnoticed.
"""

import hashlib
import pickle
import struct
import zlib
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from contracts.errors import Broken, Rejected
from contracts.site import Site
from dispatcher.commands import Command
from dispatcher.core import SCHEMA, Core
from dispatcher.facts import Fact, Restarted
from dispatcher.params import Params

if TYPE_CHECKING:
    from dispatcher.follower import Follower

SNAPSHOT_FACTS = 20_000
"""A new segment with a snapshot is begun after so many facts, and not before the last one is `SNAPSHOT_MS` old."""
SNAPSHOT_MS = 120_000
"""A large fleet fills a segment in seconds, and stands still while its snapshot is taken."""
HASH_BYTES = 16
_FRAME = struct.Struct("<II")
_STEP = struct.Struct("<qI")
_encoder = msgspec.msgpack.Encoder(order="deterministic")
_facts = msgspec.msgpack.Decoder(list[Fact])
_commands = msgspec.msgpack.Decoder(list[Command])
_parts = msgspec.msgpack.Decoder(list[msgspec.Raw])
_GATHERED_BYTES = 1 << 18


class Header(msgspec.Struct, frozen=True):
    """The first frame of a segment."""

    schema: int
    code: str
    site_hash: str
    site: bytes
    """The site file, compressed: a recording can be replayed without anything else."""
    params: Params
    epoch: int
    facts: int
    """Facts before this segment."""
    hash: bytes
    """The running hash before this segment."""
    snapshot: bytes
    """The pickled core; empty: the core was new."""


class Step(NamedTuple):
    """One step as it was recorded; facts and commands still encoded."""

    now_ms: int
    facts: bytes
    commands: bytes
    hash: bytes


def encode_commands(commands: Sequence[Command]) -> bytes:
    """Write commands as they stand in a journal; equal commands give equal bytes."""
    return _encoder.encode(commands)


def decode_facts(data: bytes) -> list[Fact]:
    """Read the facts of a step."""
    return _facts.decode(data)


def decode_commands(data: bytes) -> list[Command]:
    """Read the commands of a step."""
    return _commands.decode(data)


def split_commands(data: bytes) -> list[msgspec.Raw]:
    """Part the commands of a step without reading them; each as `encode_commands` wrote it."""
    return _parts.decode(data)


def running_hash(before: bytes, now_ms: int, facts: bytes, commands: bytes) -> bytes:
    """Return the hash over everything up to this step."""
    h = hashlib.blake2b(before, digest_size=HASH_BYTES)
    h.update(_STEP.pack(now_ms, len(facts)))
    h.update(facts)
    h.update(commands)
    return h.digest()


def site_hash(site: Site) -> str:
    """Return 32 hex digits that name a site's content."""
    return hashlib.blake2b(_site_bytes(site), digest_size=16).hexdigest()


def segments(folder: Path) -> list[Path]:
    """Return the segments of a recording, oldest first."""
    return sorted(folder.glob("*.journal"))


def read(segment: Path) -> tuple[Header, Iterator[Step]]:
    """Read one segment up to its end or to where it was cut off.

    Raises
    ------
    Rejected
        It has no header.
    """
    frames = _frames(segment.read_bytes())
    first = next(frames, None)
    if first is None:
        raise Rejected("journal", str(segment), "a segment with a whole header")
    return _header(segment, first[1]), (_step(payload) for _, payload in frames)


def head(segment: Path) -> tuple[Header, int] | None:
    """Return a segment's header and where its steps begin; None: it has no whole header (yet).

    Raises
    ------
    Rejected
        It is of another version.
    """
    with segment.open("rb") as file:
        frame = file.read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return None
        length, crc = _FRAME.unpack(frame)
        payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload) != crc:
        return None
    return _header(segment, payload), _FRAME.size + length


def steps(data: bytes) -> Iterator[tuple[int, Step]]:
    """Yield the end and the content of each whole step, up to the first that is not."""
    return ((end, _step(payload)) for end, payload in _frames(data))


def core_of(header: Header, site: Site | None = None) -> Core:
    """Return the core as it was when a segment was begun.

    Raises
    ------
    Rejected
        The snapshot is of another schema.
    """
    if not header.snapshot:
        site = site or msgspec.json.decode(zlib.decompress(header.site), type=Site)
        return Core(site, header.params, header.epoch)
    if header.schema != SCHEMA:
        raise Rejected("journal/schema", header.schema, f"a snapshot of schema {SCHEMA}")
    core = pickle.loads(header.snapshot)  # noqa: S301 - our own file, hash-chained; whoever can write it is us
    if not isinstance(core, Core):
        raise Broken(f"the journal's snapshot is a {type(core).__name__}, not a core")
    return core


class Journal:
    """An open recording.

    Parameters
    ----------
    folder
        Where the segments lie; None: nothing is kept, but the running hash is.
    site, params
        Stand in each header.
    gathered
        Steps are handed to the operating system many at a time: where nothing is sent that a kill could outrun.
    """

    def __init__(self, folder: Path | None, site: Site, params: Params, *, gathered: bool = False) -> None:
        self._folder = folder
        self._params = params
        self._gathered = gathered
        self._site = zlib.compress(_site_bytes(site))
        self._site_hash = site_hash(site)
        self._file: FileIO | BufferedWriter | None = None
        self._segment = 0
        self._since = 0
        self._begun_ms: int | None = None
        self._now_ms = 0
        self.facts = 0
        """Facts recorded so far."""
        self.hash = bytes(HASH_BYTES)
        """Over everything recorded so far."""
        self.unsynced = False
        """Something was written that may not be on the disk."""

    def recover(self, site: Site) -> Core | None:
        """Fold the newest snapshot and what follows it; None: there is no recording yet.

        A torn tail is cut off: none of its commands were sent. Each command is recomputed and compared: a core that
        would have commanded something else does not know what the floor was told, and must not go on.

        Raises
        ------
        Rejected
            The recording is of another site or schema.
        Broken
            A step in its middle was changed, or this code does not come to the commands that were recorded.
        """
        from dispatcher.follower import Follower

        if self._folder is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        follower = Follower(self._folder, site)
        follower.catch_up()
        return self.adopt(follower)

    def adopt(self, follower: "Follower") -> Core | None:
        """Go on where a recording ends that was followed; what is not whole is cut off it."""
        follower.catch_up()
        follower.cut_tail()
        if follower.core is not None:
            self._segment, self.facts, self.hash = follower.number, follower.facts, follower.hash
        self._since, self._begun_ms = 0, None
        return follower.core

    def begin(self, core: Core, *, fresh: bool) -> None:
        """Begin a new segment with the core as it is; a `fresh` one has heard nothing yet and needs no snapshot."""
        self._since = 0
        self._begun_ms = None
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self.close()
        self._segment += 1
        header = Header(
            schema=SCHEMA,
            code=code_version(),
            site_hash=self._site_hash,
            site=self._site,
            params=self._params,
            epoch=core.epoch,
            facts=self.facts,
            hash=self.hash,
            snapshot=b"" if fresh else pickle.dumps(core, pickle.HIGHEST_PROTOCOL),
        )
        file = FileIO(self._folder / f"{self._segment:08d}.journal", "w")
        self._file = BufferedWriter(file, _GATHERED_BYTES) if self._gathered else file
        self._append(_encoder.encode(header))

    def write(self, now_ms: int, facts: Sequence[Fact], commands: Sequence[Command]) -> None:
        """Record one step; on return the operating system has it, unless steps are gathered."""
        heard, done = _encoder.encode(facts), _encoder.encode(commands)
        self.hash = running_hash(self.hash, now_ms, heard, done)
        self.facts += len(facts)
        self._since += len(facts)
        self._now_ms = now_ms
        if self._begun_ms is None:
            self._begun_ms = now_ms
        if self._file is not None:
            self._append(b"".join((_STEP.pack(now_ms, len(heard)), heard, done, self.hash)))

    @property
    def full(self) -> bool:
        """Whether the segment is long enough for a new one to begin."""
        old = self._begun_ms is not None and self._now_ms - self._begun_ms >= SNAPSHOT_MS
        return old and self._since >= SNAPSHOT_FACTS

    @property
    def descriptor(self) -> int | None:
        """The open file's descriptor, for fsync."""
        return None if self._file is None else self._file.fileno()

    def rest(self, core: Core) -> None:
        """Leave a snapshot for the next start, which then folds nothing and may be of other code."""
        if self._since:
            self.begin(core, fresh=False)

    def close(self) -> None:
        """Close the segment."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, payload: bytes) -> None:
        assert self._file is not None  # noqa: S101 - only called with an open segment
        frame = _FRAME.pack(len(payload), zlib.crc32(payload)) + payload
        written = self._file.write(frame)
        if written != len(frame):
            raise Broken(f"{self._file.name}: {written} of {len(frame)} bytes written; is the disk full?")
        self.unsynced = True


def resume(core: Core, params: Params, epoch: int) -> Restarted:
    """Return the fact with which a recovered core goes on under a new epoch."""
    return Restarted(epoch=max(epoch, core.epoch + 1), params=params)


def _header(segment: Path, payload: bytes) -> Header:
    try:
        return msgspec.msgpack.decode(payload, type=Header)
    except msgspec.DecodeError as e:
        raise Rejected("journal", str(segment), f"a segment of this version: {e}") from e


def _site_bytes(site: Site) -> bytes:
    return msgspec.json.encode(site, order="deterministic")


def code_version() -> str:
    """Return the version of this code."""
    try:
        return version("floorplane")
    except PackageNotFoundError:
        return "unknown"


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the end and the payload of each whole frame, up to the first that is not."""
    at = 0
    while at + _FRAME.size <= len(data):
        length, crc = _FRAME.unpack_from(data, at)
        payload = data[at + _FRAME.size : at + _FRAME.size + length]
        if len(payload) < length or zlib.crc32(payload) != crc:
            return
        at += _FRAME.size + length
        yield at, payload


def _step(payload: bytes) -> Step:
    now_ms, length = _STEP.unpack_from(payload)
    begin = _STEP.size
    return Step(now_ms, payload[begin : begin + length], payload[begin + length : -HASH_BYTES], payload[-HASH_BYTES:])

"""A second core that follows another dispatcher's recording: warm, and ready to go on where it ends."""

from pathlib import Path

from contracts.errors import Broken, Rejected
from contracts.site import Site
from dispatcher import journal
from dispatcher.core import Core

_CHUNK = 1 << 20


class Follower:
    """Folds a recording as it grows.

    Parameters
    ----------
    folder
        Where the segments lie.
    site
        What the recording must be of.

    Attributes
    ----------
    core
        The core after all that was read; None: there is no recording yet.
    facts, hash
        How many facts were folded, and the running hash over all of them.
    """

    def __init__(self, folder: Path, site: Site) -> None:
        self._folder, self._site = folder, site
        self._site_hash = journal.site_hash(site)
        self.core: Core | None = None
        self.facts = 0
        self.hash = b""
        self.code = ""
        self._segment: Path | None = None
        self._offset = 0

    @property
    def number(self) -> int:
        """The number of the segment that is read; 0: none."""
        return 0 if self._segment is None else int(self._segment.stem)

    def catch_up(self, most: int | None = None) -> int:
        """Fold what has been written since; return how many steps.

        Parameters
        ----------
        most
            Steps at most; None: all there are.

        Raises
        ------
        Rejected
            The recording is of another site or schema.
        Broken
            A step was changed, or this code does not come to the commands that were recorded.
        """
        done = 0
        while most is None or done < most:
            if self._segment is None and not self._begin():
                break
            read = self._read(None if most is None else most - done)
            done += read
            if not read and not self._next():
                break
        return done

    def cut_tail(self) -> None:
        """Cut off what was not written whole, and whatever a process that still has the file open may add to it.

        The file is replaced by a copy of what was folded: the other process writes into a file without a name.
        """
        for later in self._later():
            later.unlink()  # killed while it was begun: it has no whole header
        segment = self._segment
        if segment is None:
            return
        with segment.open("rb") as file:
            whole = file.read(self._offset)
        scratch = segment.with_suffix(".cut")
        scratch.write_bytes(whole)
        scratch.replace(segment)

    def _begin(self) -> bool:
        """Begin with the newest segment that has a whole header."""
        for segment in reversed(journal.segments(self._folder)):
            found = journal.head(segment)
            if found is None:
                continue
            header, self._offset = found
            if header.site_hash != self._site_hash:
                raise Rejected("journal", str(self._folder), "a recording of this site; move it away, or `make reset`")
            self.core = journal.core_of(header, self._site)
            self.facts, self.hash, self.code = header.facts, header.hash, header.code
            self._segment = segment
            return True
        return False

    def _read(self, most: int | None) -> int:
        core, segment = self.core, self._segment
        if core is None or segment is None:
            return 0
        with segment.open("rb") as file:
            file.seek(self._offset)
            data = file.read() if most is None else file.read(_CHUNK)
            if len(data) == _CHUNK and next(journal.steps(data), None) is None:
                data += file.read()  # a single step is longer than that
        base, done = self._offset, 0
        for end, step in journal.steps(data):
            if most is not None and done >= most:
                break
            facts = journal.decode_facts(step.facts)
            self.hash = journal.running_hash(self.hash, step.now_ms, step.facts, step.commands)
            if self.hash != step.hash:
                raise Broken(f"{segment}: fact {self.facts} or a command after it was changed")
            if journal.encode_commands(core.step(step.now_ms, facts)) != step.commands:
                raise Broken(
                    f"{segment}: at fact {self.facts} this code ({journal.code_version()}) commands something else "
                    f"than what was killed ({self.code}). Start that one again and stop it in good order, then this "
                    f"one goes on from its snapshot; or move {self._folder} away and bring all pods home"
                )
            self.facts += len(facts)
            self._offset = base + end
            done += 1
        return done

    def _next(self) -> bool:
        """Go on to the next segment, if it was begun; it follows from what was folded."""
        for later in self._later():
            found = journal.head(later)
            if found is None:
                continue
            header, offset = found
            if header.hash != self.hash:
                self._segment = None  # it does not: begin anew with the newest
                return self._begin()
            self._segment, self._offset, self.code = later, offset, header.code
            return True
        return False

    def _later(self) -> list[Path]:
        return [s for s in journal.segments(self._folder) if int(s.stem) > self.number]

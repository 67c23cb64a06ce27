"""A controller's memory: the values of a tag table, written from outside and set from within."""

from collections.abc import Iterable

from contracts.errors import Rejected
from contracts.ids import DeviceId
from controllers.ports import TagValue
from controllers.tags import Tag
from simulators.twin import Listeners, Twin

_MOST = {"bool": 1, "u16": 0xFFFF, "u32": 0xFFFF_FFFF}


class TagBank(Twin):
    """The tags of one controller, all zero at first. Its program hears `written`, its visitors hear `changed`."""

    def __init__(self, device: DeviceId, table: Iterable[Tag]) -> None:
        super().__init__(device)
        self.table = {tag.name: tag for tag in table}
        self.values: dict[str, TagValue] = {
            name: False if tag.type == "bool" else 0 for name, tag in self.table.items()
        }
        self.written: Listeners[dict[str, TagValue]] = Listeners()
        self.changed: Listeners[dict[str, TagValue]] = Listeners()

    def __getitem__(self, name: str) -> int:
        return int(self.values[name])

    def inputs(self) -> dict[str, TagValue]:
        """Return what the visitors read."""
        return {name: self.values[name] for name, tag in self.table.items() if not tag.writable}

    def write(self, values: dict[str, TagValue]) -> None:
        """Take values from outside; all or nothing.

        Raises
        ------
        Rejected
            A tag is not in the table, cannot be written, or the value does not fit it.
        """
        for name, value in values.items():
            tag = self.table.get(name)
            if tag is None or not tag.writable:
                raise Rejected(f"{self.device}/{name}", value, "for a tag that can be written")
            if not 0 <= int(value) <= _MOST[tag.type]:
                raise Rejected(f"{self.device}/{name}", value, f"from 0 to {_MOST[tag.type]}")
        self.values.update(values)
        self.written.tell(values)

    def set(self, **values: TagValue) -> None:
        """Set values from within, and tell those that changed, together."""
        changed = {name: value for name, value in values.items() if self.values[name] != value}
        if changed:
            self.values.update(changed)
            self.changed.tell(changed)

"""A label printer's twin: takes a stream of ZPL II and puts out labels with the text of their fields."""

import re

import msgspec

from contracts.ids import DeviceId
from simulators.twin import Listeners, Twin

_FIELD = re.compile(r"\^FD(.*?)\^FS", re.DOTALL)
_MOST_PENDING = 64_000


class Label(msgspec.Struct, frozen=True):
    """One printed label: its fields' data in order; the first is what the barcode carries."""

    fields: tuple[str, ...]


class PrinterTwin(Twin):
    """One printer."""

    def __init__(self, device: DeviceId) -> None:
        super().__init__(device)
        self.labels: Listeners[Label] = Listeners()
        self._pending = ""

    def feed(self, data: str) -> None:
        """Take some of the stream; each ``^XZ`` puts out a label. What is no label is skipped, as printers do."""
        self._pending += data
        while (end := self._pending.find("^XZ")) >= 0:
            label, self._pending = self._pending[:end], self._pending[end + 3 :]
            start = label.rfind("^XA")
            if start >= 0:
                fields = tuple(f.strip() for f in _FIELD.findall(label[start:]))
                if fields:
                    self.labels.tell(Label(fields))
        self._pending = self._pending[-_MOST_PENDING:]

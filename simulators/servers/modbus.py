"""A controller's tags served over Modbus TCP, every register read from and written to its twin's memory."""

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from contracts.errors import Rejected, Unavailable
from controllers.ports import TagValue
from controllers.tags import Area, Tag
from simulators.servers.sockets import host_port
from simulators.tag_bank import TagBank

_AREAS: dict[int, Area] = {
    1: "coil", 5: "coil", 15: "coil", 2: "discrete", 3: "holding", 6: "holding", 16: "holding", 4: "input"
}  # fmt: skip
"""By function code."""


class BankContext:
    """What pymodbus's server asks for values, in front of a bank."""

    def __init__(self, bank: TagBank) -> None:
        self._bank = bank
        self._at: dict[Area, dict[int, tuple[Tag, int]]] = {"coil": {}, "discrete": {}, "holding": {}, "input": {}}
        for tag in bank.table.values():
            for k in range(tag.width):
                self._at[tag.area][tag.address + k] = (tag, k)
        self._span = {area: max(at, default=-1) + 1 for area, at in self._at.items()}

    def device_ids(self) -> list[int]:
        """Return the unit ids that are answered: all, as most small controllers do."""
        return [0]

    async def async_getValues(  # noqa: N802 - pymodbus's name
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Read registers or bits; places between tags read 0, beyond the last one there is nothing."""
        del device_id
        area = _AREAS.get(func_code)
        if area is None:
            return ExcCodes.ILLEGAL_FUNCTION
        if address + count > self._span[area]:
            return ExcCodes.ILLEGAL_ADDRESS
        words = [self._word(area, address + k) for k in range(count)]
        return [bool(w) for w in words] if area in {"coil", "discrete"} else words

    async def async_setValues(  # noqa: N802 - pymodbus's name
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Write registers or bits, all together or not at all."""
        del device_id
        area = _AREAS.get(func_code)
        if area not in {"coil", "holding"}:
            return ExcCodes.ILLEGAL_FUNCTION
        written: dict[str, TagValue] = {}
        for k, value in enumerate(values):
            found = self._at[area].get(address + k)
            if found is None:
                return ExcCodes.ILLEGAL_ADDRESS
            tag, part = found
            written[tag.name] = _joined(int(written.get(tag.name, self._bank[tag.name])), tag, part, int(value))
        try:
            self._bank.write(written)
        except Rejected:
            return ExcCodes.ILLEGAL_VALUE
        return None

    def _word(self, area: Area, address: int) -> int:
        found = self._at[area].get(address)
        if found is None:
            return 0
        tag, part = found
        value = self._bank[tag.name]
        return value >> 16 if tag.width == 2 and part == 0 else value & 0xFFFF


def _joined(value: int, tag: Tag, part: int, word: int) -> TagValue:
    if tag.type == "bool":
        return bool(word)
    if tag.width == 1:
        return word
    return (word << 16 | value & 0xFFFF) if part == 0 else (value & 0xFFFF_0000 | word)


class ModbusServer:
    """One controller on one port."""

    def __init__(self, bank: TagBank, address: str) -> None:
        self.address = address
        self._where, self._bank = host_port(address), bank
        self._server: ModbusTcpServer | None = None

    async def open(self) -> None:
        """Listen.

        Raises
        ------
        Unavailable
            The port is taken.
        """
        if self._server is not None:
            return
        # the library wants a memory of its own; ours takes its place before the first client comes
        unused = SimDevice(0, simdata=[SimData(0, values=0, datatype=DataType.REGISTERS)])
        server = ModbusTcpServer(unused, address=self._where)
        server.context = BankContext(self._bank)  # type: ignore[assignment]  # duck-typed there: three methods are called
        try:
            await server.serve_forever(background=True)
        except (OSError, RuntimeError) as e:
            raise Unavailable(f"{self.address}: cannot listen: {e}") from e
        self._server = server

    async def close(self) -> None:
        """Stop listening, and hang up."""
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown()  # type: ignore[no-untyped-call]  # the library's

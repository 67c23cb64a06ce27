"""A controller behind OPC UA: one subscription, and a watch on its heartbeat.

A server that hung may come back with the session alive and the subscription silent for good. So a heartbeat that does
not change for three seconds ends the session, and the client is made anew.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.common.subscription import DataChangeNotif
from asyncua.ua.uaerrors import UaError

from contracts.errors import Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.runtime.cancellation import heed_cancellation
from contracts.runtime.clock import Clock
from controllers.connection import Connection, host_port
from controllers.ports import StateHandler, TagValue
from controllers.tags import Tag

NAMESPACE = 2
SILENT_S = 3.0
_ANSWER_S = 2.0
_PUBLISH_MS = 100
_VARIANTS = {"bool": ua.VariantType.Boolean, "u16": ua.VariantType.UInt16, "u32": ua.VariantType.UInt32}
_LEAVE_S = 1.0
Hearer = Callable[[dict[str, TagValue], int], None]


class OpcUaPlc:
    """The driver.

    Parameters
    ----------
    device, address
        Its name, and ``opc.tcp://host:port/path``.
    clock
        Gives the time of a change.
    table
        The controller's tags; one whose name ends in ``Heartbeat`` is watched.
    """

    def __init__(self, device: DeviceId, address: str, clock: Clock, table: Iterable[Tag]) -> None:
        host_port(address, "opc.tcp")
        self._device, self._address, self._clock = device, address, clock
        self._table = {t.name: t for t in table}
        self._inputs = [t for t in self._table.values() if not t.writable]
        self._heartbeat = next((t.name for t in self._inputs if t.name.endswith("Heartbeat")), None)
        self._connection = Connection(device, address, clock)
        self._client: Client | None = None
        self._hearers: list[Hearer] = []

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        self._connection.on_state(handler)

    def on_change(self, handler: Hearer) -> None:
        """Hear changed input tags and the time (ms) at which they came; all of them after each (re)connection."""
        self._hearers.append(handler)

    async def run(self) -> None:
        """Stay subscribed until cancelled."""
        await self._connection.keep(self._session)

    async def write(self, values: dict[str, TagValue]) -> None:
        """Write output tags in one request, in the order given.

        Raises
        ------
        Unavailable
            The controller cannot be reached now, or refuses.
        Rejected
            A tag is not in the table, cannot be written, or the value does not fit it.
        """
        for name, value in values.items():
            tag = self._table.get(name)
            if tag is None or not tag.writable:
                raise Rejected(f"tags/{name}", value, "for a tag of the table that can be written")
            if not 0 <= int(value) <= {"bool": 1, "u16": 0xFFFF, "u32": 0xFFFF_FFFF}[tag.type]:
                raise Rejected(f"tags/{name}", value, f"a value that fits {tag.type}")
        self._connection.check()
        client = self._client
        if client is None:
            raise Unavailable(f"{self._device}: not connected")
        nodes = [_node(client, name) for name in values]
        written = [_data_value(self._table[name], value) for name, value in values.items()]
        try:
            async with asyncio.timeout(_ANSWER_S):
                await client.write_values(nodes, written)
        except (UaError, OSError, TimeoutError) as e:
            raise Unavailable(f"{self._device}: {e or 'no answer'}") from e
        finally:
            heed_cancellation()

    # ------------------------------------------------------------------------------------------------------- session

    async def _session(self) -> None:
        client = Client(self._address, timeout=_ANSWER_S)
        try:
            try:
                async with asyncio.timeout(2 * _ANSWER_S):
                    await client.connect()
                    nodes = {t.name: _node(client, t.name) for t in self._inputs}
                    mailbox = _Mailbox({node.nodeid: name for name, node in nodes.items()})
                    subscription = await client.create_subscription(_PUBLISH_MS, mailbox)
                    handles = await subscription.subscribe_data_change(list(nodes.values()))
            except UaError as e:
                raise Unavailable(str(e) or type(e).__name__) from e
            for name, handle in zip(nodes, handles, strict=True):
                if not isinstance(handle, int):
                    raise Unavailable(f"ns={NAMESPACE};s={name}: {handle}")
            heed_cancellation()
            self._client = client
            await self._listen(mailbox)
        finally:
            self._client = None
            await _leave(client)

    async def _listen(self, mailbox: "_Mailbox") -> None:
        """Take what comes; the first report waits until every tag was heard once."""
        loop = asyncio.get_running_loop()
        missing = {t.name for t in self._inputs}
        pending: dict[str, TagValue] = {}
        heard_s = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(heard_s + SILENT_S):
                    notices = await mailbox.next()
            except TimeoutError as e:
                raise Unavailable(f"no heartbeat for {SILENT_S:.0f} s") from e
            for name, value, notice in notices:  # what was published together is told together
                pending[name] = self._value(name, value, notice)
                missing.discard(name)
                if self._heartbeat in {None, name}:
                    heard_s = loop.time()
            if missing:
                continue
            self._connection.works()
            changed, pending = pending, {}
            for hearer in self._hearers:
                hearer(changed, self._clock.now_ms())

    def _value(self, name: str, value: object, notice: DataChangeNotif) -> TagValue:
        status = notice.monitored_item.Value.StatusCode
        if status is not None and not status.is_good():
            raise Unavailable(f"ns={NAMESPACE};s={name}: {status.name}")
        if not isinstance(value, int):
            raise Unavailable(f"ns={NAMESPACE};s={name}: {value!r} is no {self._table[name].type}")
        return bool(value) if self._table[name].type == "bool" else int(value)


class _Mailbox:
    """What the subscription said; asyncua calls it from tasks of its own, in order."""

    def __init__(self, names: dict[ua.NodeId, str]) -> None:
        self._names = names
        self._notices: list[tuple[str, object, DataChangeNotif]] = []
        self._ended = ""
        self._awake = asyncio.Event()

    def datachange_notification(self, node: Node, val: object, data: DataChangeNotif) -> None:
        self._notices.append((self._names[node.nodeid], val, data))
        self._awake.set()

    def status_change_notification(self, status: ua.StatusChangeNotification) -> None:
        self._ended = f"subscription ended: {status.Status.name}"
        self._awake.set()

    async def next(self) -> list[tuple[str, object, DataChangeNotif]]:
        """Return what came since the last call, at least one."""
        await self._awake.wait()
        self._awake.clear()
        if self._ended:
            raise Unavailable(self._ended)
        notices, self._notices = self._notices, []
        return notices


def _node(client: Client, name: str) -> Node:
    return client.get_node(ua.NodeId(ua.String(name), ua.Int16(NAMESPACE)))


def _data_value(tag: Tag, value: TagValue) -> ua.DataValue:
    native = bool(value) if tag.type == "bool" else int(value)
    return ua.DataValue(ua.Variant(native, _VARIANTS[tag.type]))


async def _leave(client: Client) -> None:
    """Say goodbye to a server that may not listen."""
    with contextlib.suppress(UaError, OSError, TimeoutError):
        async with asyncio.timeout(_LEAVE_S):
            await client.disconnect()
    client.disconnect_socket()

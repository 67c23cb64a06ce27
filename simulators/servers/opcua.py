"""A controller's tags served over OPC UA: one variable a tag, string node ids in namespace 2, no login.

A change within is written to its variable at once; a client's write goes to the twin as it is stored. A ``Heartbeat``
grows once a second while the server stands.
"""

import asyncio
import contextlib

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.address_space import NodeData
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds

from contracts.errors import Unavailable
from controllers.ports import TagValue
from controllers.tags import Tag
from simulators.servers.sockets import host_port
from simulators.tag_bank import TagBank

NAMESPACE = "urn:floorplane:simulators"
_TYPES = {"bool": ua.VariantType.Boolean, "u16": ua.VariantType.UInt16, "u32": ua.VariantType.UInt32}


class OpcUaServer:
    """One controller on one port."""

    def __init__(self, bank: TagBank, address: str) -> None:
        self.address, self._bank = address, bank
        host_port(address)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen.

        Raises
        ------
        Unavailable
            The port is taken.
        """
        if self._task is not None:
            return
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(opened), name=f"opcua {self._bank.device}")
        try:
            await opened
        except BaseException:
            self._task.cancel()
            self._task = None
            raise

    async def close(self) -> None:
        """Stop listening, and hang up."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self, opened: asyncio.Future[None]) -> None:
        server = Server()
        await server.init()
        server.set_endpoint(self.address)
        server.set_server_name(f"Floorplane twin of {self._bank.device}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        index = await server.register_namespace(NAMESPACE)
        folder = await server.nodes.objects.add_object(_node_id(self._bank.device, index), self._bank.device)
        nodes = {t.name: await self._variable(server, folder, index, t) for t in self._bank.table.values()}
        changes: asyncio.Queue[dict[str, TagValue]] = asyncio.Queue(1_000)
        end = self._bank.changed.add(changes.put_nowait)
        try:
            await server.start()
        except OSError as e:
            end()
            opened.set_exception(Unavailable(f"{self.address}: cannot listen: {e.strerror or e}"))
            return
        opened.set_result(None)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(nodes, changes), name=f"opcua {self._bank.device} changes")
                group.create_task(self._beat(), name=f"opcua {self._bank.device} heartbeat")
        finally:
            end()
            await server.stop()

    async def _variable(self, server: Server, folder: Node, index: int, tag: Tag) -> Node:
        kind = _TYPES[tag.type]
        value = _typed(tag, self._bank.values[tag.name])
        node = await folder.add_variable(_node_id(tag.name, index), tag.name, value, kind)
        if tag.writable:
            await node.set_writable()

            def write(data: NodeData, attribute: AttributeIds, value: ua.DataValue) -> None:
                data.attributes[attribute].value = value
                if value.Value is not None:
                    self._bank.write({tag.name: value.Value.Value})

            server.set_attribute_value_setter(node.nodeid, write)
        return node

    async def _follow(self, nodes: dict[str, Node], changes: "asyncio.Queue[dict[str, TagValue]]") -> None:
        while True:
            for name, value in (await changes.get()).items():
                tag = self._bank.table[name]
                await nodes[name].write_value(ua.Variant(_typed(tag, value), _TYPES[tag.type]))

    async def _beat(self) -> None:
        beats = [t.name for t in self._bank.table.values() if t.name.endswith("Heartbeat")]
        while beats:
            await asyncio.sleep(1.0)
            self._bank.set(**{name: (self._bank[name] + 1) % 65_536 for name in beats})


def _typed(tag: Tag, value: TagValue) -> TagValue:
    return bool(value) if tag.type == "bool" else int(value)


def _node_id(name: str, index: int) -> ua.NodeId:
    return ua.NodeId(ua.String(name), ua.Int16(index))

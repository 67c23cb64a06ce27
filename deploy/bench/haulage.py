"""A bookkeeper for fleet benchmarks: orders transports as central does, and takes the dispatcher's facts in order."""

import random

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import NodeId, PodId, TaskId
from contracts.messages.facts import AlarmRaised, Fact, FactsAck, TransportChanged
from contracts.messages.work import Transport
from contracts.runtime.log import Log
from contracts.site import Site


class Haulage:
    """Brings pods from bay to bay, one a transport, to a bay that is free; each that is done makes room for the next.

    Attributes
    ----------
    done
        Transports that were done, each counted once.
    again
        Facts that said so a second time.
    refused
        Facts of an older epoch than one that was seen.
    """

    def __init__(self, site: Site, log: Log, seed: int) -> None:
        self.done = self.again = self.refused = self.alarms = 0
        self._log, self._site = log, site
        self._random = random.Random(f"{seed}/books")
        self._homes: dict[PodId, NodeId] = {p.id: p.home for p in site.pods}
        taken = set(self._homes.values())
        self._free = [n.id for n in site.layout.nodes if n.kind == "storage" and n.id not in taken]
        self._idle = list(self._homes)
        self._open: dict[TaskId, tuple[PodId, NodeId]] = {}
        self._made = 0

    async def order(self) -> None:
        """Order one more transport."""
        pod = self._idle.pop(self._random.randrange(len(self._idle)))
        goal = self._free.pop(self._random.randrange(len(self._free)))
        self._made += 1
        task = TaskId(f"V{self._made}")
        self._open[task] = pod, goal
        work = Transport(task, 1, self._homes[pod], goal, pod, "POD", handling=True, due_ms=0, priority=0)
        await self._log.append(topics.work_key(self._site.id, task), encode(work))

    async def run(self) -> None:
        """Take facts in order; a transport that is done makes room for the next."""
        epoch = seq = 0
        async for entry in self._log.follow(topics.facts_subject(self._site.id)):
            fact = decode(entry.payload, Fact)
            self.refused += fact.epoch < epoch
            if fact.epoch > epoch:
                epoch, seq = fact.epoch, 0
            if fact.epoch == epoch and fact.seq == seq + 1:
                seq += 1
                await self._post(fact)
            self._log.say(topics.facts_ack(self._site.id), encode(FactsAck(self._site.id, epoch, seq)))

    async def _post(self, fact: Fact) -> None:
        body = fact.body
        if not isinstance(body, TransportChanged):
            self.alarms += isinstance(body, AlarmRaised)
            return
        if body.state != "done":
            return
        if body.task not in self._open:
            self.again += 1
        else:
            pod, goal = self._open.pop(body.task)
            self._free.append(self._homes[pod])
            self._homes[pod] = goal
            self._idle.append(pod)
            self.done += 1
            await self._log.append(topics.work_key(self._site.id, body.task), b"")
            await self.order()

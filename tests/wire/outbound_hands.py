"""A person with a handheld, for tests of what goes out."""

from typing import Any

import httpx

from tests.wire.central_floor import Floor


class Hands:
    """Takes tasks and confirms them over REST, each time with a key of its own."""

    def __init__(self, floor: Floor) -> None:
        self.floor, self.calls = floor, 0

    async def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        self.calls += 1
        key = {"Idempotency-Key": f"h{self.calls}"} | headers
        return await self.floor.supervisor.post(f"/v1{path}", json={} if body is None else body, headers=key)

    async def ok(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self.post(path, body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def refused(self, path: str, body: dict[str, Any] | None = None, *, status: int = 409) -> str:
        answer = await self.post(path, body)
        assert answer.status_code == status, answer.text
        return str(answer.json()["detail"])

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.floor.supervisor.get(f"/v1{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def open(self, kind: str) -> list[str]:
        """What anybody could do of a kind."""
        found = (await self.get("/hands", kind=kind, state="open"))["items"]
        return sorted(t["id"] for t in found)

    async def take(self, task: str) -> Any:
        return await self.ok(f"/hands/{task}/lease", {"person": "anna"})

    async def do(self, task: str, **said: Any) -> Any:
        """Take a task and confirm it."""
        taken = await self.take(task)
        return await self.ok(f"/hands/{task}/confirm", {"attempt": taken["attempt"], "person": "anna"} | said)

    async def cannot(self, task: str, **said: Any) -> str:
        """Take a task and try to confirm it; why it is not taken. The task is given back."""
        taken = await self.take(task)
        why = await self.refused(f"/hands/{task}/confirm", {"attempt": taken["attempt"], "person": "anna"} | said)
        await self.ok(f"/hands/{task}/release", {"attempt": taken["attempt"]})
        return why


async def packed(floor: Floor, ref: str, *lines: tuple[str, int], **fields: Any) -> str:
    """Take an order in, pick it and pack it; its tote's SSCC."""
    await floor.order(ref, *lines, **fields)
    for task in [t["id"] for t in (await floor.shown(ref))["tasks"] if t["kind"] == "pick"]:
        await floor.pick(task)
    await floor.finish_tote(f"T-{ref}-1")
    return str((await floor.operator.get(f"/v1/units/T-{ref}-1")).json()["sscc"])

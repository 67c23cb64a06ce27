"""A client of central as people carry it: an ordinary HTTP client that sends again what was not answered."""

from typing import Any

import httpx

from contracts.runtime.clock import Clock

_RETRY_S = 2.0


class Handheld:
    """A client of central with keys of its own.

    Parameters
    ----------
    token
        Of central, with the role of whoever holds it.
    name
        Part of its keys: no two have the same.
    """

    def __init__(self, client: httpx.AsyncClient, token: str, clock: Clock, name: str) -> None:
        self._client, self._clock, self._name = client, clock, name
        self._headers = {"Authorization": f"Bearer {token}"}
        self._sent = 0

    async def post(self, path: str, body: Any) -> httpx.Response:
        """Send something once."""
        self._sent += 1
        return await self._ask("POST", path, body, {"Idempotency-Key": f"{self._name}/{self._sent}"})

    async def patch(self, path: str, body: Any) -> httpx.Response:
        """Change something as it is now: what was seen last is what the change is made of."""
        seen = await self._ask("GET", path, None, {})
        return await self._ask("PATCH", path, body, {"If-Match": seen.headers.get("ETag", "")})

    async def put(self, path: str, body: Any) -> httpx.Response:
        """Make something that is not there yet."""
        return await self._ask("PUT", path, body, {})

    async def get(self, path: str, **parameters: str) -> Any:
        """Ask for something that is there."""
        answer = await self._ask("GET", path, None, {}, parameters)
        answer.raise_for_status()
        return answer.json()

    async def _ask(
        self, method: str, path: str, body: Any, headers: dict[str, str], parameters: dict[str, str] | None = None
    ) -> httpx.Response:
        while True:
            try:
                answer = await self._client.request(
                    method, path, json=body, params=parameters, headers=self._headers | headers
                )
            except httpx.TransportError:
                pass
            else:
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            await self._clock.sleep(_RETRY_S)

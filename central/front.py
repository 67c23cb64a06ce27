"""The front of REST, before any route: correlation id, identity, size of the body, measurement. Plain ASGI."""

import time
from http.cookies import SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central.identity.access import COOKIE, Doorkeeper, Principal
from central.metrics import Metrics
from central.problems import problem
from central.quota import Quota
from contracts.errors import Unavailable
from contracts.runtime.logging import correlation as correlating

CORRELATION = "x-correlation-id"
_OPEN = ("/v1/session", "/v1/openapi.json")
_ANSWERED = ("/v1/", "/healthz", "/readyz", "/metrics")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _SAFE | {"POST", "PUT", "PATCH", "DELETE"}


class Front:
    """Wraps the application.

    Parameters
    ----------
    body_limit_bytes, bulk_limit_bytes
        Largest body of an ordinary request, and of one to a path that ends in ``:bulk``.
    quota
        How many requests each client may send.
    """

    def __init__(
        self,
        app: ASGIApp,
        doorkeeper: Doorkeeper,
        metrics: Metrics,
        quota: Quota,
        body_limit_bytes: int,
        bulk_limit_bytes: int,
    ) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._metrics = metrics
        self._quota = quota
        self._body_limit = body_limit_bytes
        self._bulk_limit = bulk_limit_bytes
        self._served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._served += 1
        correlation = headers.get(CORRELATION) or headers.get("idempotency-key") or f"request-{self._served}"
        state = scope.setdefault("state", {})
        state["correlation"] = correlation[:100]
        if scope["type"] == "websocket":
            state["principal"] = await self._principal(scope, headers)
            await self._app(scope, receive, send)
            return

        began, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told = MutableHeaders(scope=message)
                told[CORRELATION] = state["correlation"]
                for name, value in state.get("quota", {}).items():
                    told[name] = value
            if head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        head = scope["method"] == "HEAD" and scope["path"].startswith(_ANSWERED)
        if head:  # as GET answers it, without its body; and never a stream, which has no end
            plain = [h for h in scope["headers"] if h[0] != b"accept"]
            scope = {**scope, "method": "GET", "headers": plain}
            headers = Headers(scope=scope)
        token = correlating.set(state["correlation"])
        try:
            await self._serve(scope, headers, receive, answer)
        finally:
            correlating.reset(token)
        method = "HEAD" if head else scope["method"]
        self._metrics.requests.labels(method if method in _METHODS else "other", status).inc()
        self._metrics.request_s.observe(time.perf_counter() - began)

    async def _serve(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith("/v1/") and not path.startswith(_OPEN):
            try:
                who = await self._principal(scope, headers)
            except Unavailable as e:
                await problem(503, str(e), headers={"Retry-After": "1"})(scope, receive, send)
                return
            if who is None:
                refused = problem(
                    401, "A valid token is needed (Authorization: Bearer …)", headers={"WWW-Authenticate": "Bearer"}
                )
                await refused(scope, receive, send)
                return
            scope["state"]["principal"] = who
            standing = self._quota.take(who.name)
            if standing is not None:
                scope["state"]["quota"] = self._quota.headers(standing)
                if not standing.allowed:
                    refused = problem(
                        429, f"{who.name} has sent too many requests", headers={"Retry-After": str(standing.reset_s)}
                    )
                    await refused(scope, receive, send)
                    return
        if headers.get("content-encoding", "identity").strip().lower() not in {"identity", ""}:
            coding = headers["content-encoding"][:40]
            refused = problem(
                415, f"Content-Encoding: {coding!r}; send it as it is", headers={"Accept-Encoding": "identity"}
            )
            await refused(scope, receive, send)
            return
        limit = self._bulk_limit if path.endswith(":bulk") else self._body_limit
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            await problem(400, f"Content-Length: {length[:40]!r} is not a number of bytes")(scope, receive, send)
            return
        if int(length) > limit:
            await problem(413, f"The body is larger than {limit} bytes")(scope, receive, send)
            return
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, f"The body is larger than {limit} bytes")
            return message

        await self._app(scope, limited, send)

    async def _principal(self, scope: Scope, headers: Headers) -> Principal | None:
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and secret:
            return await self._doorkeeper.recognise(secret.strip())
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        if cookie is None:
            return None
        # a browser sends the cookie from any page; only our own pages may change anything with it
        same = headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
        if scope.get("method", "GET") not in _SAFE and not same:
            return None
        return await self._doorkeeper.recognise(cookie.value)

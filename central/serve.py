"""REST and console over HTTP, on real time."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from contracts.errors import Rejected


class HttpServer:
    """Serves an application with uvicorn; a Service beside `central.service.Central`.

    Parameters
    ----------
    app
        ``Central.app``.
    host, port
        Where to listen; port 0 takes any free one.

    Attributes
    ----------
    url
        Where it listens, once `ready` is set.
    """

    name = "central.http"

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 8080) -> None:
        self.ready = asyncio.Event()
        self.url = ""
        self._app = app
        self._host = host
        self._port = port

    async def run(self) -> None:
        """Serve until cancelled, then let open requests finish for two seconds.

        Raises
        ------
        Rejected
            The port is taken, or the address is not this machine's.
        """
        listener = self._listen()
        self.url = f"http://{self._host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            self._app,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name=f"{self.name}.uvicorn")
        try:
            self.ready.set()  # the socket takes connections already; uvicorn answers them in a moment
            await asyncio.shield(serving)
        finally:
            self.ready.clear()
            server.should_exit = True
            await asyncio.wait({serving}, timeout=4)
            serving.cancel()
            listener.close()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as e:
            listener.close()
            raise Rejected("port", f"{self._host}:{self._port}", f"a free port ({e.strerror}); set another one") from e
        listener.listen(2048)
        return listener


class _Server(uvicorn.Server):
    """Signals belong to the process, not to this part of it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

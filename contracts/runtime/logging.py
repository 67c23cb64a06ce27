"""Logging: structured, for a person or as JSON, with the correlation id of what is being done, and never a secret.

`correlation.set(order_id)` where a request or a message enters; every line logged from there on, in that task and what
it starts, carries it.
"""

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any, Literal, TextIO

import structlog

from contracts.runtime.settings import is_secret, redact

correlation: ContextVar[str] = ContextVar("correlation", default="")
"""Names the order, task or request that the running code serves; empty: none."""

_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_QUIET = {
    "asyncio": logging.INFO,
    "gmqtt": logging.ERROR,
    "nats": logging.ERROR,
    "asyncua": logging.WARNING,
    "httpx": logging.WARNING,
}
_DEPTH = 6
Event = MutableMapping[str, Any]


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["console", "json"] = "console",
    *,
    stream: TextIO | None = None,
    now_ms: Callable[[], int] | None = None,
) -> None:
    """Set up logging for the process: ours and that of every library, in one form.

    Parameters
    ----------
    stream
        Where to; None: standard error.
    now_ms
        Floor time (Unix epoch, ms) to stamp lines with; None: the wall's. On virtual time give the clock's.
    """
    out = sys.stderr if stream is None else stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _correlate,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True) if now_ms is None else _floor_time(now_ms),
        structlog.processors.format_exc_info,
        _no_secrets,
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=32)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)


def get_log(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a room, named as its package is (``dispatcher.traffic``)."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log


def _correlate(_logger: Any, _method: str, event: Event) -> Event:
    if (now := correlation.get()) and "correlation" not in event:
        event["correlation"] = now
    return event


def _floor_time(now_ms: Callable[[], int]) -> structlog.typing.Processor:
    def stamp(_logger: Any, _method: str, event: Event) -> Event:
        seconds, ms = divmod(now_ms(), 1000)
        event["timestamp"] = f"{_utc(seconds)}.{ms:03}Z"
        return event

    return stamp


def _utc(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _no_secrets(_logger: Any, _method: str, event: Event) -> Event:
    for key, value in event.items():
        if key.startswith("_"):
            continue  # structlog's own
        event[key] = "***" if is_secret(key) and value is not None else _clean(value, _DEPTH)
    return event


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _BEARER.sub(r"\1 ***", redact(value)) if "://" in value or " " in value else value
    if isinstance(value, bytes):
        return _clean(value.decode(errors="replace"), depth)
    if value is None or isinstance(value, int | float) or depth == 0:
        return value if value is None or isinstance(value, int | float) else _clean(str(value), depth)
    if isinstance(value, dict):
        return {k: "***" if is_secret(str(k)) else _clean(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v, depth - 1) for v in value]
    return _clean(str(value), depth)

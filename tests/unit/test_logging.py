"""Logging: one form for all, the correlation id where it belongs, no secret anywhere."""

import asyncio
import io
import json
import logging

import pytest
import structlog

from contracts.runtime.logging import configure, correlation, get_log


@pytest.fixture
def lines():
    """Configure JSON logging into memory, and put everything back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    configure("debug", "json", stream=out, now_ms=lambda: 1_386_000_000_123)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_has_name_level_and_floor_time(lines):
    """A line is one JSON object with who, how bad, when on the floor, and what."""
    get_log("dispatcher.traffic").info("robot waits", robot="r1", seconds=1.5)
    assert lines() == [
        {
            "event": "robot waits",
            "level": "info",
            "logger": "dispatcher.traffic",
            "robot": "r1",
            "seconds": 1.5,
            "timestamp": "2013-12-02T16:00:00.123Z",
        }
    ]


async def test_the_correlation_id_follows_the_task(lines):
    """What is set in one task is in its lines and in those of what it starts, and nowhere else."""
    log = get_log("central")

    async def handle(order: str) -> None:
        correlation.set(order)
        await asyncio.sleep(0)
        await asyncio.create_task(inner())

    async def inner() -> None:
        log.info("posted")

    async with asyncio.TaskGroup() as group:
        group.create_task(handle("O-1"))
        group.create_task(handle("O-2"))
    log.info("outside")
    assert [(line["event"], line.get("correlation")) for line in lines()] == [
        ("posted", "O-1"),
        ("posted", "O-2"),
        ("outside", None),
    ]


def test_no_secret_is_logged(lines):
    """Secret names, passwords in URLs, bearer tokens: in fields, nested, in the text, in tracebacks, from libraries."""
    log = get_log("central")
    log.warning("connecting to postgresql://me:hunter2@h/db", password="hunter2", api_token="hunter2")
    log.info("request", headers={"Authorization": "Bearer hunter2"}, urls=["mqtt://u:hunter2@h"])
    log.info("header was Authorization: Bearer hunter2")
    logging.getLogger("asyncpg").error("cannot reach %s", "postgresql://me:hunter2@h/db")
    try:
        int("nats://u:hunter2@h is bad")
    except ValueError:
        log.exception("failed")
    text = json.dumps(lines())
    assert "hunter2" not in text
    assert text.count("***") == 9
    assert len(lines()) == 5


def test_levels(lines):
    """Below the level nothing is written, neither ours nor a library's."""
    configure("warning", "json", stream=(out := io.StringIO()))
    get_log("edge").info("quiet")
    logging.getLogger("asyncpg").info("quiet")
    get_log("edge").warning("loud")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["loud"]
    assert lines() == []


def test_the_console_form_is_readable(lines):
    """A person sees time, level, text and fields, without colours where there is no terminal."""
    configure("info", "console", stream=(out := io.StringIO()), now_ms=lambda: 0)
    get_log("edge").info("scanned", barcode="4711")
    assert "scanned" in out.getvalue()
    assert "barcode=4711" in out.getvalue()
    assert "\x1b" not in out.getvalue()

"""One process alone: its flags read, its settings checked, its services run, and its readiness told."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from rich.console import Console
from rich.table import Table

from contracts.errors import Rejected
from contracts.runtime import service
from contracts.runtime.service import Service
from contracts.runtime.settings import PREFIX, S, Settings, load
from deploy import notify
from deploy.processes import settings as kinds

KINDS: dict[str, type[kinds.ProcessSettings]] = {
    "central": kinds.CentralProcess,
    "dispatcher": kinds.DispatcherProcess,
    "edge": kinds.EdgeProcess,
    "planner": kinds.PlannerProcess,
    "simulate": kinds.SimulateProcess,
}


_SHORT = {"scale": "time_scale"}


class Readiness:
    """Tells whoever started this process when all its services are ready."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.name = "readiness"
        self.ready = asyncio.Event()
        self._services = services

    async def run(self) -> None:
        """Wait for all, tell it once, and stay."""
        for one in self._services:
            await one.ready.wait()
        self.ready.set()
        notify.ready()
        await asyncio.get_running_loop().create_future()


def run_process(name: str, args: list[str]) -> int:
    """Run one of `KINDS` until it is told to stop; return its exit status (see `contracts.runtime.service`).

    Raises
    ------
    Rejected
        A flag, variable or file is bad; nothing has begun.
    """
    begun = begin(name, KINDS[name], args)
    if begun is None:
        return service.OK
    settings, _ = begun
    module = importlib.import_module(f"deploy.processes.{name}")
    assemble: Callable[[Settings], AbstractAsyncContextManager[Sequence[Service]]] = module.assemble

    @asynccontextmanager
    async def with_readiness() -> AsyncIterator[Sequence[Service]]:
        async with assemble(settings) as services:
            yield (*services, Readiness(services))

    return service.run_process(with_readiness, stop_within_s=3.0)


def begin(name: str, kind: type[S], args: list[str]) -> tuple[S, Path | None] | None:
    """Read a command's settings; with ``--help`` among the words show them instead, and return None.

    Returns
    -------
    tuple
        The settings, and the file of ``--config``.

    Raises
    ------
    Rejected
        A flag, variable or file is bad; names the setting.
    """
    if "--help" in args or "-h" in args:
        teach(name, kind)
        return None
    flags, config = read_flags(args, kind)
    return load(kind, flags, config), config


def read_flags(args: list[str], kind: type[Settings]) -> tuple[dict[str, Any], Path | None]:
    """Read ``--name value``, ``--name=value``, and ``--name`` / ``--no-name`` of a yes-or-no setting.

    Returns
    -------
    tuple
        Values by setting name, and the file of ``--config``.

    Raises
    ------
    Rejected
        A word is not a flag, or its value is missing. Unknown names are left to `load`, which knows what is close.
    """
    flags: dict[str, Any] = {}
    words = iter(args)
    for word in words:
        if not word.startswith("--"):
            raise Rejected("flags", word, "a flag (--name value); --help lists them")
        spelled, equals, value = word[2:].partition("=")
        name = _SHORT.get(spelled, spelled.replace("-", "_"))
        if not equals:
            if _is_switch(kind, name):
                value = "true"
            elif name.startswith("no_") and _is_switch(kind, name[3:]):
                name, value = name[3:], "false"
            else:
                try:
                    value = next(words)
                except StopIteration:
                    raise Rejected(f"--{spelled}", None, "followed by its value") from None
        flags[name] = value
    config = flags.pop("config", None)
    return flags, None if config is None else Path(config)


def teach(name: str, kind: type[Settings]) -> None:
    """Show every setting of a process: its flag, its variable, its default and what it means."""
    console = Console(highlight=False)
    console.print(f"\nUsage: floorplane {name} [--SETTING VALUE ...] [--config FILE.toml]\n")
    console.print(
        f"Settings come from flags, then {PREFIX}* variables ({PREFIX}LOG_LEVEL for --log-level), then the TOML file"
        " (log_level).\n"
    )
    table = Table("Flag", "Kind", "Default", "Meaning", box=None, pad_edge=False, header_style="bold")
    for field, info in kind.model_fields.items():
        default = "needed" if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
        table.add_row(
            f"--{field.replace('_', '-')}",
            _kind(info.annotation),
            "none" if default is None else str(default),
            info.description or "",
        )
    console.print(table)


def _is_switch(kind: type[Settings], name: str) -> bool:
    info = kind.model_fields.get(name)
    return info is not None and info.annotation is bool


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    inner = [a for a in get_args(annotation) if a is not type(None)]
    return getattr(inner[0] if inner else annotation, "__name__", str(annotation)).lower()

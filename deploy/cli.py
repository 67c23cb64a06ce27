"""The `floorplane` command. What a subcommand needs is imported when it is called: `--help` must be quick."""

import asyncio
import errno
import getpass
import io
import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from contracts.errors import Broken, FloorplaneError, Rejected
from deploy.erp_commands import erp
from deploy.layout_commands import layouts

app = typer.Typer(
    name="floorplane",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="The control plane of a warehouse floor.\n\n"
    "[bold]floorplane up[/] runs everything on this machine and prints the console's address. "
    "[bold]floorplane day --orders FILE --date 2013-12-02[/] runs a whole day of real orders in a minute, on virtual "
    "time. Each process also runs alone: [bold]central[/], [bold]dispatcher[/], [bold]edge[/], [bold]simulate[/].\n\n"
    "Settings come from flags, then FLOORPLANE_* variables, then a TOML file (--config).",
)
_ONE_MACHINE, _ALONE, _TOOLS = "On one machine", "One process alone", "Tools"
_err = Console(stderr=True, highlight=False, soft_wrap=True)
_out = Console(highlight=False, soft_wrap=True)

State = Annotated[Path, typer.Option(envvar="FLOORPLANE_STATE", help="Where the floor keeps its state.")]
Json = Annotated[str | None, typer.Option("--json", help="Write JSON to this file; - is standard output.")]
_PASSES_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""For commands whose flags are the settings of a process: `deploy.process` reads and teaches them."""


@app.command(rich_help_panel=_ONE_MACHINE, context_settings=_PASSES_ON)
def up(ctx: typer.Context) -> None:
    """Run the whole floor here: database, broker, central, dispatcher, edge, simulators. `up --help` lists its flags.

    State stays in `.floorplane`, and the next `up` goes on where this one stopped; Ctrl-C stops it.
    """
    from deploy.process import begin
    from deploy.processes.settings import UpSettings
    from deploy.up import up as run

    begun = begin("up", UpSettings, ctx.args)
    if begun is not None:
        settings, config = begun
        run(settings, _say, lambda at: _out.print(f"floorplane is up: [bold]{at}[/]  (Ctrl-C stops it)"), config)


@app.command(rich_help_panel=_ONE_MACHINE, context_settings=_PASSES_ON)
def day(ctx: typer.Context) -> None:
    """Run one day of an order file through the whole stack on virtual time, against a scratch database."""
    from deploy.day import main as run

    raise typer.Exit(run(ctx.args))


@app.command(rich_help_panel=_ONE_MACHINE, context_settings=_PASSES_ON)
def replay(ctx: typer.Context) -> None:
    """Recompute every command of a recording from its facts; fails at the first that differs."""
    from deploy.replay import main as run

    raise typer.Exit(run(ctx.args))


@app.command(rich_help_panel=_ONE_MACHINE, context_settings=_PASSES_ON)
def whatif(ctx: typer.Context) -> None:
    """Fork a recorded day at a second, change robots, stations, people or orders, and compare both days."""
    from deploy.whatif import main as run

    raise typer.Exit(run(ctx.args))


@app.command(rich_help_panel=_ONE_MACHINE)
def stop(
    reason: Annotated[str, typer.Option(help="Kept with the stop, for whoever asks why nothing moves.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Let the robots go on.")] = False,
    site: Annotated[str | None, typer.Option(help="Which site; without it, that of the running `up`.")] = None,
    mqtt_url: Annotated[
        str | None, typer.Option(envvar="FLOORPLANE_MQTT_URL", help="The broker; without it, that of the running `up`.")
    ] = None,
    state: State = Path(".floorplane"),
) -> None:
    """Pause every robot, with nothing but the broker. [bold red]Not a safety function[/]: use the emergency stop.

    Works with central, dispatcher and database dead. Robots are asked by VDA 5050 startPause (stopPause with --resume),
    and the stop is kept on the broker until --resume. Ends with 1 when a robot has not confirmed.
    """
    from contracts.ids import SiteId
    from contracts.runtime.clock import LoopClock
    from contracts.runtime.floor.mqtt import MqttConnector
    from contracts.site import read_site
    from deploy.state import StateFolder
    from deploy.stop import NOT_A_SAFETY_FUNCTION, FleetStop, Outcome

    running = StateFolder(state).running()
    if mqtt_url is None:
        mqtt_url = "mqtt://127.0.0.1:1883" if running is None else running.mqtt_url
    if site is None:
        site = "reference" if running is None else read_site(Path(running.site)).id

    async def ask() -> Outcome:
        clock = LoopClock()
        floor = await MqttConnector(mqtt_url).connect(f"floorplane-stop-{clock.now_ms():x}")
        try:
            return await FleetStop(floor, clock, SiteId(site), pause=not resume).run(getpass.getuser(), reason)
        finally:
            await floor.close()

    outcome = asyncio.run(ask())
    done = "run again" if resume else "stand still"
    _out.print(f"{len(outcome.confirmed)} of {len(outcome.asked)} robots confirm that they {done}.")
    if outcome.silent:
        _err.print(f"No word from: {', '.join(outcome.silent)}", style="bold red")
    _err.print(NOT_A_SAFETY_FUNCTION)
    if outcome.silent:
        raise typer.Exit(1)


@app.command(rich_help_panel=_ONE_MACHINE)
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, state: State = Path(".floorplane")
) -> None:
    """Empty the floor's folder: orders, ledger, site and recordings are gone."""
    from deploy.state import StateFolder

    folder = StateFolder(state)
    if not folder.path.exists():
        _say(f"{folder.path} is empty already")
        return
    if not yes:
        typer.confirm(f"Remove {folder.path} with its ledger and recordings?", abort=True)
    folder.reset()
    _say(f"{folder.path} is empty")


@app.command(rich_help_panel=_ALONE, context_settings=_PASSES_ON)
def central(ctx: typer.Context) -> None:
    """Orders, stock and ledger over REST, and the operator's console."""
    _process("central", ctx.args)


@app.command(rich_help_panel=_ALONE, context_settings=_PASSES_ON)
def dispatcher(ctx: typer.Context) -> None:
    """The brain of one site: who does what and when, right of way, VDA 5050 orders."""
    _process("dispatcher", ctx.args)


@app.command(rich_help_panel=_ALONE, context_settings=_PASSES_ON)
def edge(ctx: typer.Context) -> None:
    """The daemon on the floor: devices of one or more cells."""
    _process("edge", ctx.args)


@app.command(rich_help_panel=_ALONE, context_settings=_PASSES_ON)
def planner(ctx: typer.Context) -> None:
    """One more planner worker, here or on another machine. The dispatcher has one beside it already."""
    _process("planner", ctx.args)


@app.command(rich_help_panel=_ALONE, context_settings=_PASSES_ON)
def simulate(ctx: typer.Context) -> None:
    """Twins of every device and robot, served over the real protocols, and an ERP that feeds orders."""
    _process("simulate", ctx.args)


def _process(name: str, args: list[str]) -> None:
    from deploy.process import run_process

    status = run_process(name, args)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # all is closed; to take the interpreter apart costs a second of the five that a stop has


@app.command(rich_help_panel=_TOOLS)
def invariants(
    database_url: Annotated[
        str | None,
        typer.Option(envvar="FLOORPLANE_DATABASE_URL", help="The database; without it, that of the running `up`."),
    ] = None,
    json: Json = None,
    state: State = Path(".floorplane"),
) -> None:
    """Check what must always hold of the ledger: sum of moves is stock, nothing oversold, nothing posted twice.

    Ends with 3 when something does not hold.
    """
    import msgspec

    from central.invariants import violations
    from deploy.bench.frame import write
    from deploy.state import StateFolder
    from deploy.written import refuse_unwritable

    refuse_unwritable("--json", json)
    running = StateFolder(state).running()
    url = database_url or (running.database_url if running else None)
    if url is None:
        bound = "set, or `floorplane up` running: give --database-url or FLOORPLANE_DATABASE_URL"
        raise Rejected("database_url", None, bound)
    found = asyncio.run(violations(url))
    if json is not None:
        write({"invariant_violations": len(found), "violations": [msgspec.to_builtins(v) for v in found]}, json)
    for one in found:
        _err.print(f"[bold red]{one.name}[/]  {one.subject}  {one.detail}")
    _say(f"{len(found)} violations" if found else "every invariant holds")
    if found:
        raise typer.Exit(3)


app.add_typer(erp, name="erp", rich_help_panel=_TOOLS)

robots = typer.Typer(no_args_is_help=True, help="Robots: what one can do before it is adopted.")
app.add_typer(robots, name="robot", rich_help_panel=_TOOLS)


@robots.callback()
def _robots() -> None:
    """Robots: what one can do before it is adopted."""


@robots.command("check")
def check_robot(
    serial: Annotated[str, typer.Argument(help="Its serial number.")],
    mqtt_url: Annotated[
        str | None, typer.Option(envvar="FLOORPLANE_MQTT_URL", help="The broker; without it, that of the running `up`.")
    ] = None,
    site: Annotated[Path | None, typer.Option(envvar="FLOORPLANE_SITE", help="The site file with its roads.")] = None,
    json: Json = None,
    state: State = Path(".floorplane"),
) -> None:
    """Drive one robot through a conformance script and print a score with reasons. Its next node must be free.

    Do it before the robot is adopted: the check is its master control meanwhile. Ends with 1 below 60 points.
    """
    import msgspec

    from contracts.runtime.clock import LoopClock
    from contracts.runtime.floor.mqtt import MqttConnector
    from contracts.site import read_site
    from deploy.bench.frame import write
    from deploy.robot_check import Report, RobotCheck
    from deploy.state import StateFolder
    from deploy.written import refuse_unwritable

    refuse_unwritable("--json", json)
    running = StateFolder(state).running()
    url = mqtt_url or (running.mqtt_url if running else "mqtt://127.0.0.1:1883")
    roads = read_site(site or (Path(running.site) if running else state / "site.json")).layout

    async def drive() -> Report:
        clock = LoopClock()
        floor = await MqttConnector(url).connect(f"floorplane-check-{clock.now_ms():x}")
        try:
            return await RobotCheck(floor, clock, roads, serial).run()
        finally:
            await floor.close()

    report = asyncio.run(drive())
    if json is not None:
        write(msgspec.to_builtins(report), json)
    for one in report.findings:
        style = "green" if one.points == one.of else "yellow" if one.points else "red"
        _err.print(f"[{style}]{one.points:>3}/{one.of:<3}[/] {one.what}", end="")
        _say(f"  {one.reason}" if one.reason else "")
    for key, value in report.suggested.items():
        _say(f"for its dialect: {key} = {value!s}".lower())
    _say(f"{report.manufacturer} {serial}, VDA 5050 {report.version}: {report.score} of 100")
    if report.score < 60:
        raise typer.Exit(1)


app.add_typer(layouts, name="layout", rich_help_panel=_TOOLS)


@layouts.command("export")
@app.command("export-lif", rich_help_panel=_TOOLS)
def export_lif(
    out: Annotated[Path, typer.Argument(help="The LIF file to write.")],
    site: Annotated[Path, typer.Option(envvar="FLOORPLANE_SITE", help="The site file.")] = Path(
        ".floorplane/site.json"
    ),
) -> None:
    """Write a site's road map as LIF, the exchange format of VDA 5050 layouts."""
    from contracts.lif import write_lif
    from contracts.site import read_site
    from deploy.lif_site import stations_of
    from deploy.written import write

    known = read_site(site)
    lif = write_lif([(known.layout, stations_of(known))], project=known.id, now_ms=time.time_ns() // 1_000_000)
    write("out", out, lif.decode())
    _say(f"{out} is written")


@app.command(rich_help_panel=_TOOLS, context_settings=_PASSES_ON)
def bench(ctx: typer.Context) -> None:
    """Measure: `floorplane bench NAME ... --json -`; without a name, which benchmarks there are."""
    from deploy.bench import frame
    from deploy.written import refuse_unwritable

    args = list(ctx.args)
    if not args or args[0] in {"--help", "-h", "--list"}:
        _out.print("Usage: floorplane bench NAME (options of NAME) (--json FILE or -)\n")
        for name, line in frame.names().items():
            _out.print(f"  [bold]{name:<14}[/] {line}")
        return
    name, rest, target = args[0], args[1:], None
    if "--json" in rest:
        at = rest.index("--json")
        if at + 1 == len(rest):
            raise Rejected("--json", None, "followed by a file, or - for standard output")
        target = rest[at + 1]
        refuse_unwritable("--json", target)
        del rest[at : at + 2]
    result = frame.measure(name, rest)
    if target is not None:
        frame.write(result, target)
    else:
        _out.print_json(data=result)


def _say(text: str) -> None:
    _err.print(text, markup=False)


def main() -> None:
    """Run the command; an error that its user can mend is one line, and the exit status says whose turn it is.

    1: something does not answer, try again; 2: the input is bad, mend it; 3: something is broken, ask for help.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows no arrows gets question marks, and no traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(standalone_mode=True)
    except FloorplaneError as e:
        status: dict[type[Any], int] = {Rejected: 2, Broken: 3}
        _err.print("[bold red]floorplane:[/] ", end="")
        _say(str(e))
        sys.exit(status.get(type(e), 1))
    except BrokenPipeError:  # whoever read our words has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as e:
        if e.filename is None:
            raise
        _err.print("[bold red]floorplane:[/] ", end="")
        _say(f"{e.filename}: {e.strerror}")
        sys.exit(2 if e.errno in _MENDABLE else 1)


_MENDABLE = {
    errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EROFS, errno.ELOOP,
    errno.ENAMETOOLONG,
}  # fmt: skip
"""What the user's choice of a file or folder leads to; a full disk is tried again."""


if __name__ == "__main__":
    main()

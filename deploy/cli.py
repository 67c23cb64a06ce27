"""The `floorplane` command. What a subcommand needs is imported when it is called: `--help` must be quick."""

import asyncio
import getpass
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from contracts.errors import Broken, FloorplaneError, Rejected

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
    "Settings come from flags, then FLOORPLANE_* variables, then a TOML file (--settings).",
)
_ONE_MACHINE, _ALONE, _TOOLS = "On one machine", "One process alone", "Tools"
_err = Console(stderr=True, highlight=False, soft_wrap=True)
_out = Console(highlight=False, soft_wrap=True)

Folder = Annotated[
    Path, typer.Option(envvar="FLOORPLANE_FOLDER", help="Where the floor keeps its state, logs and ledger.")
]
Orders = Annotated[
    Path | None, typer.Option(help="Order file (CSV, may be gzipped); without one a small seeded demand runs.")
]
Seed = Annotated[int, typer.Option(help="Seed of the reference site, the demand and the faults.")]


@app.command(rich_help_panel=_ONE_MACHINE)
def up(
    orders: Orders = None,
    site: Annotated[Path | None, typer.Option(help="A site file; without one the reference site is built.")] = None,
    host: Annotated[
        str, typer.Option(help="Address of REST and console; others than loopback reach it only if told.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of REST and console.")] = 8080,
    nats_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the embedded log (NATS).")] = 4222,
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the embedded floor bus (MQTT).")] = 1883,
    scale: Annotated[float, typer.Option(help="Floor seconds per second of the wall clock.")] = 1.0,
    robots: Annotated[int, typer.Option(min=1, max=400, help="Robots of the reference site when it is built.")] = 40,
    seed: Seed = 1,
    folder: Folder = Path(".floorplane"),
    database_url: Annotated[
        str | None, typer.Option(envvar="FLOORPLANE_DATABASE_URL", help="A PostgreSQL of yours.")
    ] = None,
    nats_url: Annotated[str | None, typer.Option(envvar="FLOORPLANE_NATS_URL", help="A NATS of yours.")] = None,
    mqtt_url: Annotated[str | None, typer.Option(envvar="FLOORPLANE_MQTT_URL", help="An MQTT broker of yours.")] = None,
) -> None:
    """Run the whole floor here: database, broker, central, dispatcher, edge and simulators. Ctrl-C stops it.

    State stays in the folder, and the next `up` goes on where this one stopped; `floorplane reset` empties it.
    """
    from deploy.up import UpOptions
    from deploy.up import up as run

    options = UpOptions(
        folder=folder, orders=orders, site=site, host=host, port=port, nats_port=nats_port, mqtt_port=mqtt_port,
        scale=scale, robots=robots, seed=seed, database_url=database_url, nats_url=nats_url, mqtt_url=mqtt_url,
    )  # fmt: skip
    run(options, _say, lambda address: _out.print(f"floorplane is up: [bold]{address}[/]  (Ctrl-C stops it)"))


@app.command(rich_help_panel=_ONE_MACHINE)
def stop(
    reason: Annotated[str, typer.Option(help="Kept with the stop, for whoever asks why nothing moves.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Let the robots go on.")] = False,
    site: Annotated[str, typer.Option(envvar="FLOORPLANE_SITE_ID", help="Which site.")] = "reference",
    mqtt_url: Annotated[
        str | None, typer.Option(envvar="FLOORPLANE_MQTT_URL", help="The broker; without it, that of the running `up`.")
    ] = None,
    folder: Folder = Path(".floorplane"),
) -> None:
    """Pause every robot, with nothing but the broker. [bold red]Not a safety function[/]: use the emergency stop.

    Works with central, dispatcher and database dead. Robots are asked by VDA 5050 startPause (stopPause with --resume),
    and the stop is kept on the broker until --resume. Ends with 1 when a robot has not confirmed.
    """
    from contracts.ids import SiteId
    from contracts.runtime.clock import LoopClock
    from contracts.runtime.floor.mqtt import MqttConnector
    from deploy.state import StateFolder
    from deploy.stop import NOT_A_SAFETY_FUNCTION, FleetStop, Outcome

    if mqtt_url is None:
        running = StateFolder(folder).running()
        mqtt_url = "mqtt://127.0.0.1:1883" if running is None else running.mqtt_url

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
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, folder: Folder = Path(".floorplane")
) -> None:
    """Empty the floor's folder: orders, ledger, site and recordings are gone."""
    from deploy.state import StateFolder

    state = StateFolder(folder)
    if not state.path.exists():
        _say(f"{state.path} is empty already")
        return
    if not yes:
        typer.confirm(f"Remove {state.path} with its ledger and recordings?", abort=True)
    state.reset()
    _say(f"{state.path} is empty")


_PASSES_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


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
def simulate(ctx: typer.Context) -> None:
    """Twins of every device and robot, served over the real protocols, and an ERP that feeds orders."""
    _process("simulate", ctx.args)


def _process(name: str, args: list[str]) -> None:
    from deploy.process import run_process

    raise typer.Exit(run_process(name, args))


@app.command(rich_help_panel=_TOOLS, context_settings=_PASSES_ON)
def bench(ctx: typer.Context) -> None:
    """Measure: `floorplane bench NAME [its options] --json -`; without a name, which benchmarks there are."""
    from deploy.bench import frame

    args = list(ctx.args)
    if not args or args[0] in {"--help", "-h", "--list"}:
        _out.print("Usage: floorplane bench NAME [options of NAME] [--json FILE or -]\n")
        for name, line in frame.names().items():
            _out.print(f"  [bold]{name:<14}[/] {line}")
        return
    name, rest, target = args[0], args[1:], None
    if "--json" in rest:
        at = rest.index("--json")
        if at + 1 == len(rest):
            raise Rejected("--json", None, "followed by a file, or - for standard output")
        target = rest[at + 1]
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
    try:
        app(standalone_mode=True)
    except FloorplaneError as e:
        status: dict[type[Any], int] = {Rejected: 2, Broken: 3}
        _err.print("[bold red]floorplane:[/] ", end="")
        _say(str(e))
        sys.exit(status.get(type(e), 1))


if __name__ == "__main__":
    main()

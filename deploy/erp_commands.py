"""`floorplane erp`: items and orders from CSV files, and an order followed to the ledger."""

import json as json_
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from contracts.errors import Rejected

if TYPE_CHECKING:
    from deploy.erp_client import ErpClient, LineAnswer, Order

erp = typer.Typer(
    no_args_is_help=True, help="Talk to central as an ERP does: import items and orders, follow an order."
)
_out = Console(highlight=False, soft_wrap=True)
Url = Annotated[
    str | None, typer.Option("--url", envvar="FLOORPLANE_CENTRAL_URL", help="Central; none: that of the running `up`.")
]
Token = Annotated[
    str | None, typer.Option("--token", envvar="FLOORPLANE_TOKEN", help="A token of the role erp; none: that of `up`.")
]
State = Annotated[Path, typer.Option(envvar="FLOORPLANE_STATE", help="Where the floor keeps its state.")]
Csv = Annotated[Path, typer.Argument(help="A CSV file with a line of column names.")]


@erp.command("items")
def items(file: Csv, url: Url = None, token: Token = None, state: State = Path(".floorplane")) -> None:
    """Create or change items: columns id, kind, barcode, name, weight_g, volume_ml, category, product_line, owner."""
    from deploy.erp_client import read_items

    with _client(url, token, state) as client:
        _tell(client.import_items(read_items(file)))


@erp.command("orders")
def orders(file: Csv, url: Url = None, token: Token = None, state: State = Path(".floorplane")) -> None:
    """Send orders: columns ref, due, item, qty, and where wanted line, priority, ship_to, release_at, owner.

    The lines of an order follow each other. A file may be sent again: what was taken in before is not taken in twice.
    """
    from deploy.erp_client import read_orders

    with _client(url, token, state) as client:
        _tell(client.import_orders(read_orders(file)))


@erp.command("follow")
def follow(
    order: Annotated[str, typer.Argument(help="Its id, as its intake has answered.")],
    url: Url = None,
    token: Token = None,
    state: State = Path(".floorplane"),
) -> None:
    """Follow an order until it is closed: its state, its tasks, and at the end its rows in the ledger."""
    with _client(url, token, state) as client:
        last: Order | None = None
        for now in client.follow(order):
            done = sum(t["state"] == "done" for t in now.tasks)
            _out.print(f"{now.id}  [bold]{now.state}[/]  {done} of {len(now.tasks)} tasks done")
            last = now
    for move in last.ledger if last else ():
        _out.print(f"  {move['at']}  {move['from']} → {move['to']}  {move['qty']} × {move['item']}  {move['reason']}")
    if last and last.shipment:
        _out.print(f"  shipment {json_.dumps(last.shipment)}")


def _tell(answers: "Iterator[LineAnswer]") -> None:
    counted: dict[str, int] = {}
    for one in answers:
        counted[one.outcome] = counted.get(one.outcome, 0) + 1
        if one.refused:
            _out.print(f"[red]refused[/] {one.id or one.line}: {one.why()}")
    _out.print(", ".join(f"{n} {outcome}" for outcome, n in sorted(counted.items())) or "nothing in the file")
    if counted.get("refused"):
        raise typer.Exit(1)


def _client(url: str | None, token: str | None, state: Path) -> "ErpClient":
    import msgspec

    from central.identity.bootstrap import Secrets
    from deploy.erp_client import ErpClient
    from deploy.state import StateFolder

    folder = StateFolder(state)
    running = folder.running()
    at = url or (running.console.rstrip("/") if running else None)
    if at is None:
        raise Rejected("url", None, "set, or `floorplane up` running: give --url or FLOORPLANE_CENTRAL_URL")
    if token is None:
        try:
            token = msgspec.json.decode(folder.secrets.read_bytes(), type=Secrets).tokens["erp"]
        except (OSError, msgspec.DecodeError, KeyError) as e:
            raise Rejected("token", None, f"given with --token or FLOORPLANE_TOKEN ({folder.secrets}: {e})") from e
    return ErpClient(at, token)

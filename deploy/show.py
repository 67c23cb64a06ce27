"""What the commands show on a terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table


@contextmanager
def day_progress(console: Console) -> Iterator[Callable[[int, int, float], None]]:
    """Show a bar of orders closed and the floor's hour while a day runs; nothing where there is no terminal."""
    if not console.is_terminal:
        yield lambda _done, _of, _hours: None
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("orders"),
        TextColumn("[cyan]{task.fields[hours]:5.1f} h of floor time[/]"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("day", total=None, hours=0.0)
        yield lambda done, of, hours: bar.update(task, completed=done, total=of, hours=hours)


def summary_table(title: str, figures: Mapping[str, object]) -> Table:
    """Return figures by name as a table."""
    table = Table(
        "", Column(overflow="fold"), title=title, show_header=False, box=None, title_justify="left", title_style="bold"
    )
    for name, value in figures.items():
        shown = f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
        table.add_row(name.replace("_", " "), shown)
    return table

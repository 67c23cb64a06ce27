"""`floorplane layout`: road maps are checked, compared, and made a site of."""

from pathlib import Path
from typing import Annotated

import typer

layouts = typer.Typer(no_args_is_help=True, help="Road maps: checked before they are used, and compared.")


@layouts.callback()
def _layouts() -> None:
    """Road maps: checked before they are used, and compared."""


@layouts.command("check")
def check_layout(file: Annotated[Path, typer.Argument(help="A LIF file, or a site file.")]) -> None:
    """Say what is in a LIF or site file; one that contradicts itself is refused with the element's name."""
    from deploy.layout_file import check

    for line in check(file):
        typer.echo(line)


@layouts.command("diff")
def compare_layouts(
    old: Annotated[Path, typer.Argument(help="A LIF file, or a site file.")],
    new: Annotated[Path, typer.Argument(help="Another one, of either kind.")],
) -> None:
    """Say in words, one line a change, what differs between two layouts; nothing where nothing does."""
    from deploy.layout_file import compare

    for line in compare(old, new):
        typer.echo(line)


@layouts.command("import")
def import_layout(
    file: Annotated[Path, typer.Argument(help="A LIF file.")],
    out: Annotated[Path, typer.Argument(help="The site file to write.")],
    vehicle_type: Annotated[str | None, typer.Option(help="Whose roads to take; without it, all.")] = None,
) -> None:
    """Make a site file of a LIF file, with its stations as places and no stock."""
    from contracts.site import write_site
    from deploy.lif_site import lif_site

    site = lif_site(file, vehicle_type)
    write_site(site, out)
    typer.echo(f"{out} is written: site {site.id}, {len(site.layout.nodes)} nodes, {len(site.places)} places", err=True)

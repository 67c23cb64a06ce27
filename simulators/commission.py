"""The reference site as files: what processes read (`site.json`), what the ERP knows (`catalogue.json`), and LIF."""

from pathlib import Path

import msgspec

from contracts.errors import Rejected
from contracts.lif import LifStation, write_lif
from contracts.site import Site, write_site
from simulators.catalogue import Catalogue, write_catalogue
from simulators.site import build


class Commissioned(msgspec.Struct, frozen=True):
    """What was built, and where it was written."""

    site: Site
    catalogue: Catalogue
    site_file: Path
    catalogue_file: Path
    lif_file: Path


def commission(
    folder: Path, seed: int, orders: Path | None = None, robots: int = 40, *, base_port: int = 17_000, now_ms: int = 0
) -> Commissioned:
    """Build the reference site for an order file (or for a seeded catalogue) and write its three files.

    Parameters
    ----------
    now_ms
        The LIF file's export time (Unix epoch, ms).

    Raises
    ------
    Rejected
        The order file is bad, an argument is out of range, or the folder cannot be written.
    """
    catalogue = Catalogue.seeded(seed) if orders is None else Catalogue.from_orders(orders, seed)
    site = build(seed, catalogue, robots, base_port=base_port)
    done = Commissioned(site, catalogue, folder / "site.json", folder / "catalogue.json", folder / "site.lif.json")
    try:
        write_catalogue(catalogue, done.catalogue_file)
        done.lif_file.write_bytes(lif(site, now_ms))
        write_site(site, done.site_file)  # last: where it is, the others are
    except OSError as e:
        raise Rejected("folder", str(folder), f"a folder that can be written: {e.strerror or e}") from e
    return done


def lif(site: Site, now_ms: int) -> bytes:
    """Return a site's road map as LIF, each station with the node at which pods are worked on."""
    stations = [LifStation(s.id, (s.lane[-1],), f"{s.kind} station {s.id}") for s in site.stations]
    return write_lif([(site.layout, stations)], project=site.id, now_ms=now_ms)

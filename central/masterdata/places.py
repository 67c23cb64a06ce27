"""The site's places in the books: pods with their bins, stations, chutes."""

from central.database import Connection, Database
from contracts.site import Site


async def keep_places(database: Database, site: Site) -> int:
    """Bring the places of a site into the database; a pod that is known stays where it was last seen.

    Returns
    -------
    int
        How many places were new.
    """
    pods = [(p.id, "pod", None, p.home) for p in site.pods]
    bins = [(b.id, "bin", p.id, None) for p in site.pods for b in p.bins]
    stations = [(s.id, "station", None, s.lane[-1]) for s in site.stations]
    chutes = [(c.id, "chute", None, None) for c in site.chutes]
    rows = [*pods, *bins, *stations, *chutes]

    async def work(connection: Connection) -> int:
        made = await connection.fetch(
            "INSERT INTO place (code, kind, parent, node)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])"
            " ON CONFLICT (code) DO UPDATE SET parent = excluded.parent"
            " WHERE place.kind = 'bin' AND place.parent IS DISTINCT FROM excluded.parent RETURNING code",
            *(list(column) for column in zip(*rows, strict=True)),
        )
        return len(made)

    return await database.unit(work) if rows else 0

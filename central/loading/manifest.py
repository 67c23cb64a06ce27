"""REST of manifests: the papers of a truck, as JSON and as CSV."""

import csv
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from central.context import Here
from central.database import Connection
from central.identity.access import HOUSE, Principal
from central.loading.model import Manifest, Piece, TruckOut
from central.loading.routes import TruckId, shown_truck
from central.problems import Refusal, documented

router = APIRouter(prefix="/v1/manifests", tags=["trucks"])


@router.get(
    "/{truck_id}",
    response_model=Manifest,
    responses=documented(404) | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def get_manifest(
    truck_id: TruckId,
    here: Here,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    _: Principal = HOUSE,
) -> Any:
    """Write the papers of a truck: its totes by stop, with the units that are lifted, pieces and weights."""

    async def work(connection: Connection) -> Manifest:
        row = await connection.fetchrow("SELECT * FROM truck WHERE id = $1", truck_id)
        if row is None:
            raise Refusal(404, f"truck: {truck_id!r} is not known")
        lines = [
            Piece.model_validate(dict(r)) for r in await connection.fetch("SELECT * FROM manifest_rows($1)", truck_id)
        ]
        on_it = [x for x in lines if x.state == "loaded"]
        return Manifest(
            id=truck_id,
            truck=TruckOut.model_validate(await shown_truck(connection, row)),
            units=len({x.unit for x in on_it}),
            totes=len(on_it),
            pieces=sum(x.pieces for x in on_it),
            weight_g=sum(x.weight_g or 0 for x in on_it),
            lines=lines,
        )

    manifest = await here.database.unit(work)
    if form == "json":
        return manifest
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Piece.model_fields), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(x.model_dump(mode="json") for x in manifest.lines)
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")

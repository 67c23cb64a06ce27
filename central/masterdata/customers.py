"""REST of customers: who gets goods, and how long they must still be good then."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from central.context import Correlation, Here
from central.database import Connection
from central.identity.access import ANYONE, ERP, Principal
from central.identity.audit import AUDIT
from central.listing import Limit
from central.masterdata.items import Owner, Text
from central.moment import moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1/customers", tags=["customers"])
_Id = Annotated[str, Path(pattern=PATTERN)]


class CustomerIn(BaseModel):
    """Somebody who gets goods."""

    name: Text = ""
    min_days: int = Field(
        0,
        examples=[21],
        ge=0,
        le=3_650,
        strict=True,
        description="So many days after an order is due its goods must still be good",
    )
    owner: Owner | None = Field(None, description="Whose customer; the token's owner when absent")


class Customer(BaseModel):
    """A customer as it is kept."""

    id: str
    name: str
    min_days: int
    owner: str


class CustomerPage(BaseModel):
    """Customers in order of their ids; `next` is the cursor of the following page."""

    items: list[Customer]
    next: str | None = None


def _tag(row: Any) -> str:
    return tag(row["name"], row["min_days"], row["owner"])


@router.put("/{customer}", response_model=Customer, responses=documented(400, 409, 412, 428))
async def put_customer(
    customer: _Id,
    body: CustomerIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> dict[str, Any]:
    """Make a customer, or change it (If-Match). Orders that were taken in keep what held then."""
    owner = body.owner if body.owner is not None else who.owner
    if who.owner and owner != who.owner:
        raise refused("owner", owner, f"{who.owner}, whose token this is")

    async def work(connection: Connection) -> Any:
        was = await connection.fetchrow("SELECT * FROM customer WHERE id = $1 FOR UPDATE", customer)
        if was is not None and who.owner and was["owner"] != who.owner:
            raise refused("id", customer, "an id that is free", status=409)
        if was is not None:
            check(if_match, _tag(was))
        elif if_match is not None:
            raise Refusal(412, f"If-Match: there is no customer {customer!r} to change")
        at = moment(here.clock.now_ms())
        await connection.execute(AUDIT, at, who.name, who.role, "customer.put", customer, "", correlation, None)
        return await connection.fetchrow(
            "INSERT INTO customer (id, owner, name, min_days) VALUES ($1, $2, $3, $4) ON CONFLICT (id)"
            " DO UPDATE SET owner = excluded.owner, name = excluded.name, min_days = excluded.min_days RETURNING *",
            customer, owner, body.name, body.min_days,
        )  # fmt: skip

    kept = await here.database.unit(work)
    response.headers["ETag"] = f'"{_tag(kept)}"'
    return dict(kept)


@router.get("", response_model=CustomerPage, responses=documented())
async def list_customers(
    here: Here,
    limit: Limit = 100,
    cursor: Annotated[str, Query(max_length=64, description="`next` of the page before")] = "",
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List customers in order of their ids."""
    rows = await here.database.read(
        "SELECT * FROM customer WHERE id > $1 AND ($2 = '' OR owner = $2) ORDER BY id LIMIT $3",
        cursor, who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": rows[-1]["id"] if len(rows) == limit else None}


@router.get("/{customer}", response_model=Customer, responses=documented(404))
async def get_customer(customer: _Id, response: Response, here: Here, who: Principal = ANYONE) -> dict[str, Any]:
    """Show a customer."""
    rows = await here.database.read(
        "SELECT * FROM customer WHERE id = $1 AND ($2 = '' OR owner = $2)", customer, who.owner
    )
    if not rows:
        raise Refusal(404, f"customer: {customer!r} is not known")
    response.headers["ETag"] = f'"{_tag(rows[0])}"'
    return dict(rows[0])

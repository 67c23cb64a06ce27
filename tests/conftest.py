"""What every test may ask for: a real PostgreSQL, started at the first use, one a test process."""

from collections.abc import Iterator

import pytest

from deploy.embedded.scratch import ScratchPostgres, scratch_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[ScratchPostgres]:
    """A throw-away server for the whole run; `create(template=...)` copies a database that was migrated once."""
    with scratch_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: ScratchPostgres) -> Iterator[str]:
    """URL of an empty database of this test's own."""
    name = postgres.create()
    yield postgres.url_of(name)
    postgres.drop(name)

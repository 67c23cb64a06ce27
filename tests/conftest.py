"""What every test may ask for: a real PostgreSQL, started at the first use, one a test process."""

import os
from collections.abc import Generator, Iterator

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where peers are required, a peer test that is skipped has failed."""
    report = yield
    if report.skipped and item.get_closest_marker("peer") and os.environ.get("FLOORPLANE_REQUIRE_PEERS"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"FLOORPLANE_REQUIRE_PEERS is set, and this peer test was skipped: {reason}"
    return report

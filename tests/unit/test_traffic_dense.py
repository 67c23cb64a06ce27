"""Dense grids: operations, tables, and planners that a referee of other code finds no fault with."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Broken, Rejected
from deploy.bench import traffic
from deploy.bench.lorr import Instance, Referee
from dispatcher.traffic.dense.four import FourPlanner
from dispatcher.traffic.dense.grid import EAST, FAR, NORTH, SOUTH, STEP, WEST, Grid, one_way, plain
from dispatcher.traffic.dense.operations import operations
from dispatcher.traffic.dense.tables import CellTables
from dispatcher.traffic.dense.turning import Search, TurningPlanner

DATA = Path("../shared/data/mapf")


def write(folder: Path, rows: list[str], starts: list[int], tasks: list[int]) -> Path:
    """Write an instance of the League of Robot Runners."""
    head = ["type octile", f"height {len(rows)}", f"width {len(rows[0])}", "map"]
    (folder / "a.map").write_text("\n".join(head + rows))
    (folder / "a.agents").write_text("\n".join(map(str, [len(starts), *starts])))
    (folder / "a.tasks").write_text("\n".join(map(str, [len(tasks), *tasks])))
    path = folder / "a.json"
    names = {"mapFile": "a.map", "agentFile": "a.agents", "taskFile": "a.tasks"}
    path.write_text(json.dumps({**names, "teamSize": len(starts)}))
    return path


def random_instance(folder: Path, seed: int, robots: int) -> Path:
    """A warehouse of 12 x 17 with shelves two deep."""
    rng = np.random.default_rng(seed)
    rows = ["".join("@" if y % 3 and x % 4 not in {0, 3} and 0 < y < 11 else "." for x in range(17)) for y in range(12)]
    free = [y * 17 + x for y, row in enumerate(rows) for x, c in enumerate(row) if c == "."]
    starts = rng.choice(free, robots, replace=False)
    return write(folder, rows, starts.tolist(), rng.choice(free, 200 * robots).tolist())


@pytest.mark.parametrize(("depth", "count"), [(2, 11), (3, 31)])
def test_operations_are_all_ways_to_move_once_each(depth: int, count: int) -> None:
    actions, rest = operations(depth)
    assert len(actions) == count
    assert actions[-1].tolist() == [3] * depth
    for k, a in enumerate(actions.tolist()):
        done, left = _trace([*a[1:], 3]), _trace(actions[rest[k]].tolist())
        assert done == left


def _trace(actions: list[int]) -> list[tuple[int, int, int]]:
    x, y, d, found = 0, 0, 0, []
    for a in actions:
        d = (d + (0, 1, 3, 0)[a]) % 4
        if a == 0:
            x, y = x + (1, 0, -1, 0)[d], y + (0, 1, 0, -1)[d]
        found.append((x, y, -1))
    return [*found, (x, y, d)]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(["plain", "one way", "random"]))
def test_a_table_holds_the_least_cost_to_the_goal(seed: int, kind: str) -> None:
    """Compared with relaxing every way until nothing changes."""
    rng = np.random.default_rng(seed)
    grid = Grid(rng.random((7, 8)) < 0.7)
    cost = plain(grid) if kind == "plain" else one_way(grid, 9, 3)
    if kind == "random":
        cost = rng.integers(1, 30, cost.shape).astype(np.uint16)
    goal = int(rng.integers(len(grid)))
    expected = np.full(len(grid), FAR, np.int64)
    expected[goal] = 0
    for _ in range(len(grid)):
        for d in range(4):
            there = grid.nbr[:, d] >= 0
            expected[there] = np.minimum(expected[there], expected[grid.nbr[there, d]] + cost[there, d])
    tables = CellTables(grid, cost, 1)
    assert tables.pool[tables.take(goal)].tolist() == np.minimum(expected, FAR).tolist()


def test_tables_in_use_are_kept_and_the_oldest_other_is_forgotten() -> None:
    grid = Grid(np.ones((4, 4), np.bool_))
    tables = CellTables(grid, plain(grid), 2)
    first, second = tables.take(0), tables.take(1)
    with pytest.raises(Rejected):
        tables.take(2)
    tables.give_back(second)
    assert tables.take(2) == second
    assert tables.take(0) == first
    assert tables.built == 3


def test_neighbouring_roads_lead_in_opposite_directions() -> None:
    grid = Grid(np.ones((6, 6), np.bool_))
    cost = one_way(grid, 50)
    for k in range(6):
        row, column = cost[grid.cell[k, 2]], cost[grid.cell[2, k]]
        assert {int(row[EAST]), int(row[WEST])} == {STEP, STEP + 50}
        assert row[EAST] == (STEP if k % 2 == 0 else STEP + 50)
        assert column[SOUTH] == (STEP if k % 2 == 0 else STEP + 50)
        assert {int(column[SOUTH]), int(column[NORTH])} == {STEP, STEP + 50}


def drive(instance: Instance, steps: int, search: Search, guided: bool = True) -> Referee:
    grid = Grid(instance.free)
    number, referee = grid.cell.ravel(), Referee(instance)
    cost = one_way(grid) if guided else plain(grid)
    heading = np.zeros(instance.size, np.int8)
    planner = TurningPlanner(grid, cost, number[instance.start], heading, search, table_rows=instance.size + 50)
    for _ in range(steps):
        referee.turn(planner.step(number[referee.goal]))
        assert (number[referee.at] == planner.pos).all()
        assert (referee.heading == planner.heading).all()
    return referee


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1_000), st.sampled_from([2, 3, 4]), st.sampled_from([0, 500]))
def test_robots_that_turn_never_collide_and_get_things_done(
    tmp_path_factory: pytest.TempPathFactory, seed: int, depth: int, rounds: int
) -> None:
    instance = Instance(random_instance(tmp_path_factory.mktemp("lorr"), seed, 25))
    referee = drive(instance, 250, Search(depth=depth, rounds=rounds, seed=seed))
    assert referee.collisions == 0
    assert referee.errands > 25 * (2 if depth > 2 else 0)


def test_the_same_seed_gives_the_same_plan(tmp_path: Path) -> None:
    instance = Instance(random_instance(tmp_path, 3, 30))
    a, b, c = (drive(instance, 60, Search(depth=3, rounds=300, seed=s)) for s in (1, 1, 2))
    assert (a.at == b.at).all()
    assert (a.at != c.at).any()


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1_000), st.integers(5, 60))
def test_robots_in_four_directions_never_collide_and_all_get_somewhere(
    tmp_path_factory: pytest.TempPathFactory, seed: int, robots: int
) -> None:
    instance = Instance(random_instance(tmp_path_factory.mktemp("lorr"), seed, robots))
    grid = Grid(instance.free)
    number, place = grid.cell.ravel(), np.flatnonzero(instance.free.ravel())
    referee = Referee(instance)
    planner = FourPlanner(grid, plain(grid), number[instance.start], table_rows=robots + 50)
    for _ in range(400):
        referee.move(place[planner.step(number[referee.goal])])
    assert referee.collisions == 0
    assert referee._turn.min() >= 2


def test_the_referee_sees_collisions_swaps_jumps_and_walls(tmp_path: Path) -> None:
    instance = Instance(write(tmp_path, ["...", "@.."], [0, 1], [5, 5, 5, 5]))
    referee = Referee(instance)
    referee.move(np.array([1, 0]))
    assert referee.collisions == 1
    referee.move(np.array([1, 1]))
    assert referee.collisions == 2
    for to in ([2, 0], [1, 3]):
        with pytest.raises(Broken):
            Referee(instance).move(np.array(to))
    with pytest.raises(Broken):
        Referee(instance).turn(np.array([0, 0], np.int8)) or Referee(Instance(instance_of(tmp_path, 2))).turn(
            np.array([0], np.int8)
        )


def instance_of(folder: Path, start: int) -> Path:
    return write(folder, ["...", "@.."], [start], [5])


def test_the_bench_reports_and_writes_a_plan(tmp_path: Path) -> None:
    path, out = random_instance(tmp_path, 1, 12), tmp_path / "plan.json"
    common = ["--instance", str(path), "--steps", "60"]
    result = traffic.run([*common, "--rounds", "200", "--out", str(out)])
    plan = json.loads(out.read_text())
    assert result["collisions"] == 0
    assert plan["numTaskFinished"] == result["errands"] > 0
    assert {len(p.split(",")) for p in plan["actualPaths"]} == {60}
    assert isinstance(result["baseline"], dict)
    several = traffic.run([*common, "--model", "four-neighbour", "--robots", "4,8"])
    assert [r["robots"] for r in several["runs"]] == [4, 8]  # type: ignore[attr-defined]
    with pytest.raises(Rejected):
        traffic.run(["--instance", str(tmp_path / "none.json")])
    with pytest.raises(Rejected):
        traffic.run([*common, "--robots", "99"])


@pytest.mark.skipif(not DATA.exists(), reason="the data folder ../shared/data/mapf is not there")
def test_a_crowded_public_warehouse_flows() -> None:
    instance = Instance(DATA / "LoRR2023-example" / "EI23-warehouse_small_400.json")
    referee = drive(instance, 300, Search(depth=3, rounds=2_000))
    assert referee.collisions == 0
    assert referee.errands > 1_000


@pytest.mark.parametrize("bad", [{"depth": 1}, {"depth": 6}, {"rounds": -1}, {"settle": (0, 1, 1)}])
def test_a_search_out_of_bounds_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(Rejected):
        Search(**bad)  # type: ignore[arg-type]

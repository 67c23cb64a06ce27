"""Instance files of others: every wrong row is refused with file, line and field, and every result has all its keys."""

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import Rejected
from deploy.bench import batching, picking, transport

WALK: dict[str, Any] = {
    "aisles": 3, "cells": 6, "depot_aisle": 1, "depot": "bottom", "picks": [[0, 2], [2, 5]], "opt_1block": 40.0,
}  # fmt: skip
BATCH: dict[str, Any] = {
    "name": "own", "aisles": 2, "cells": 4, "cap": 5, "depot_aisle": 0, "depot": "top", "w_aisle": 2.0, "w_cell": 1.0,
    "w_end": 1.0, "orders": [[[0, 1, 1]], [[1, 3, 2]], [[0, 0, 4]]], "best_known": 16.0, "is_opt": True,
}  # fmt: skip


def _write(path: Path, *rows: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(json.dumps(r) for r in rows).encode()))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"picks": []}, "picks: 0 is not in 1"),
        ({"picks": [[0, 2], [0, 6]]}, r"picks/1/1: 6 is not in 0\.\.5"),
        ({"picks": [[0, -1]]}, "picks/0/1: -1"),
        ({"picks": [[3, 0]]}, r"picks/0/0: 3 is not in 0\.\.2"),
        ({"aisles": 0}, "aisles: 0"),
        ({"cells": 10**30}, "cells: 1000000"),
        ({"depot_aisle": 3}, "depot_aisle: 3"),
        ({"opt_1block": None}, "neither"),
        ({"opt_1block": 0}, "opt_1block"),
        ({"depot": "left"}, "depot"),
    ],
)
def test_a_wrong_walk_is_refused_with_line_and_field(tmp_path: Path, wrong: dict[str, Any], named: str) -> None:
    _write(tmp_path / "sprp/sprp_2400_opt.jsonl.gz", WALK, WALK | wrong)
    with pytest.raises(Rejected, match=rf"jsonl.gz:2: .*{named}"):
        picking.run(["--data", str(tmp_path)])


def test_walks_of_one_block_alone_are_counted_and_one_aisle_has_no_one_way_rule(tmp_path: Path) -> None:
    """What has no optimum for two blocks is timed there all the same."""
    one = WALK | {"aisles": 1, "depot_aisle": 0, "picks": [[0, 4]], "opt_1block": 4.0}
    _write(tmp_path / "sprp/sprp_2400_opt.jsonl.gz", WALK, one)
    found = picking.run(["--data", str(tmp_path), "--rules", "2"])
    assert found["optima_total"] == 2
    assert found["by_blocks"]["2"]["total"] == 0  # type: ignore[index]
    assert set(found["p95_us"]) == set("1234")  # type: ignore[call-overload]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"cap": 10**30}, "cap: 1000000"),
        ({"cap": 3}, "orders/2: 4 is not in 0..3"),
        ({"orders": []}, "orders: 0 is not in 1"),
        ({"orders": [[]]}, "orders/0: 0 is not in 1"),
        ({"orders": [[[0, 1, -5]]]}, "orders/0/0/2: -5"),
        ({"orders": [[[2, 1, 1]]]}, "orders/0/0/0: 2"),
        ({"orders": [[[0, 4, 1]]]}, "orders/0/0/1: 4"),
        ({"depot_aisle": -1}, "depot_aisle: -1"),
        ({"w_aisle": -5.0}, "w_aisle"),
    ],
)
def test_a_wrong_batching_instance_is_refused_with_line_and_field(
    tmp_path: Path, wrong: dict[str, Any], named: str
) -> None:
    _write(tmp_path / "batching/henn_waescher_720.jsonl.gz", BATCH)
    _write(tmp_path / "batching/muter_oncan_wg_270.jsonl.gz", BATCH, BATCH | wrong)
    with pytest.raises(Rejected, match=rf"muter_oncan_wg_270.jsonl.gz:2: .*{named}"):
        batching.run(["--data", str(tmp_path)])


def test_a_folder_with_few_instances_gives_every_key(tmp_path: Path) -> None:
    """No instance of 100 orders, no pool of 45 pieces: the figures are null, or of what there is, and say so."""
    _write(tmp_path / "batching/henn_waescher_720.jsonl.gz", BATCH)
    _write(tmp_path / "batching/muter_oncan_wg_270.jsonl.gz", BATCH | {"is_opt": False})
    short = ["--seconds-50", "0.05", "--seconds-500", "0.05", "--seconds-2000", "0.05", "--rolling", "3"]
    found: dict[str, Any] = batching.run(["--data", str(tmp_path), *short])
    assert found["mean_gap_50"] == pytest.approx(0)
    assert found["mean_gap_100"] is None
    assert found["saving_500_by_storage"]["anywhere"]["orders"] == 3
    assert found["pool_capacity"] == 5
    assert found["plan_2000_s"] > 0
    assert found["rolling"]["orders"] == 3
    none = batching.run(["--data", str(tmp_path), "--sample-50", "0", "--seconds-500", "0", "--seconds-2000", "0"])
    assert [none[k] for k in ("mean_gap_50", "mean_gap_100", "saving_500", "plan_2000_s")] == [None] * 4
    json.dumps([found, none], allow_nan=False)


@pytest.mark.parametrize(
    ("name", "text"), [("X-n101-k25", "NAME : X\nDIMENSION : 2"), ("C101", ""), ("C101", "C101\nVEHICLE\n  25  x")]
)
def test_a_file_that_is_not_what_its_name_says_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(Rejected, match=f"--data: {name}: .*instance in"):
        transport.instance(name, text)


def test_what_was_refused_in_another_process_is_told_here() -> None:
    """A worker of a benchmark sends its refusal back whole (`--workers`)."""
    sent = pickle.loads(pickle.dumps(Rejected("cap", 0, "in 1..9")))
    assert (str(sent), sent.field) == ("cap: 0 is not in 1..9", "cap")

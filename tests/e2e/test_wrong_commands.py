"""Whatever is wrong with a command is said in words that name it, with an exit status and never a traceback."""

import gzip
import json
import os
import sys
from pathlib import Path

import pytest

from deploy import cli
from deploy.process import KINDS, run_process

ODD: dict[str, tuple[tuple[object, ...], str]] = {
    "dangling": ((("ab", "a", "b"), ("bx", "b", "nowhere")), "edges/bx/endNodeId"),
    "island": ((("ab", "a", "b"), ("ba", "b", "a")), "stations/S2"),
    "one-way": ((("ab", "a", "b"), ("ba", "b", "a"), ("bc", "b", "c")), "stations/S2"),
}
"""LIF files with two stations, at a and at c, that are wrong: their edges, and what an answer names."""
HEADER = "order_ref,planned_ship_date,actual_ship_date,sku,quantity,product_line,category\n"
COMMANDS = (
    "up", "day", "replay", "whatif", "stop", "reset", "invariants", "export-lif", "bench", "erp items", "erp orders",
    "erp follow", "robot check", "layout check", "layout diff", *KINDS,
)  # fmt: skip
BAD_FILES = ("none", "folder", "empty", "bytes", "cut.gz", "list.json", "object.json", "cut.json", "bom.json")
NOBODY = "--database-url postgresql://127.0.0.1:1/x --nats-url nats://127.0.0.1:1 --mqtt-url mqtt://127.0.0.1:1"
ERP = "--url http://127.0.0.1:1 --token t"

WRONG = [
    *((f"{command} --nonsense x", "nonsense") for command in COMMANDS if command not in {"whatif", "layout diff"}),
    ("layout diff a b --nonsense x", "nonsense"),
    *((f"layout {what}", "") for f in BAD_FILES for what in (f"check {f}", f"diff {f} {f}")),
    *((f"{what} {name}.lif", element) for name, (_, element) in ODD.items()
      for what in ("layout check", "up --profile fleet --robots none --layout")),
    ("whatif r --at 0 --nonsense x", "nonsense"),
    *((f"day --date 2013-12-02 --orders {f}", f) for f in BAD_FILES),
    *((f"day --orders good.csv --date 2013-12-02 --slotting as-is --site {f}", "site") for f in BAD_FILES),
    *((f"{c} --site {f}", "site") for f in BAD_FILES for c in ("up", "export-lif out.lif", "robot check R")),
    *((f"up --profile fleet --robots none --layout {f}", "") for f in BAD_FILES),
    *((f"up --orders {f}", f) for f in BAD_FILES),
    *((f"up --config {f}", "config") for f in ("none", "folder", "bytes", "object.json")),
    *((f"replay {f}", "") for f in BAD_FILES),
    *((f"whatif {f} --at 0 --robots 3", f) for f in BAD_FILES),
    *((f"erp {what} {f} {ERP}", "") for f in BAD_FILES for what in ("items", "orders")),
    *((f"day --date {d}", "date") for d in ("tomorrow", "2013-13-01", "1066-10-14", "9999-12-31", "''")),
    ("day --orders good.csv --date 2013-12-03", "2013-12-02 to 2013-12-02"),
    ("day --orders head.csv --date 2013-12-02", "no rows"),
    ("day --orders good.csv", "--date"),
    *((f"day --robots {n}", "--robots") for n in ("x", "-1", "0", "401", "1e9", "9" * 30)),
    *((f"day --days {n}", "days") for n in ("x", "-1", "0", "61")),
    ("day --seed x", "--seed"),
    *((f"day --record {f}", "record") for f in ("empty", "/proc/none", "empty/below")),
    *((f"day --json {f}", "--json") for f in ("folder", "none/x")),
    *((f"whatif r --at {at} --robots 3", "at") for at in ("x", "-1", "nan")),
    *((f"whatif r --at 0 --robots {n}", "--robots") for n in ("x", "0", "401")),
    *((f"whatif r --at 0 --pace {n}", "--pace") for n in ("x", "0", "nan", "inf")),
    *((f"whatif r --at 0 --orders {n}", "--orders") for n in ("x", "-1", "nan", "1e99")),
    ("whatif r --at 0", "at least one of them"),
    ("whatif r --at 0 --robots 3 --picture x.png", ".svg"),
    ("whatif r --at 0 --robots 3 --json none/x", "--json"),
    *((f"up {flag} {value}", flag[2:].replace("-", "_")) for flag, values in {
        "--port": ("0", "x", "70000"), "--nats-port": ("0", "x"), "--mqtt-port": ("-1",), "--robots": ("0", "401", "x"),
        "--seed": ("-1", "x"), "--time-scale": ("0", "-1", "x", "nan", "inf"), "--adopt": ("x",), "--profile": ("x",),
        "--device-port": ("1", "70000"), "--log-level": ("x",), "--database-url": ("x", "http://y"),
    }.items() for value in values),
    ("up --standby=x", "standby"),
    ("up --profile fleet --robots none --layout none", "none"),
    ("up --profile fleet --robots 3", "--robots"),
    ("up --host no.such.name.invalid", "no.such.name.invalid"),
    ("up --state empty", "empty"),
    ("up --state /proc/none", "/proc/none"),
    *((f"{command} --mqtt-url {url}", "mqtt") for url in ("x", "mqtt://h:port") for command in ("stop", "edge")),
    ("invariants", "database_url"),
    *((f"invariants --database-url {url}", "") for url in ("x", "postgresql://h:port/x", "postgresql://127.0.0.1:1/x")),
    ("invariants --database-url postgresql://127.0.0.1:1/x --json folder", "--json"),
    ("reset --yes --state folder-of-others", "folder-of-others"),
    ("erp items good.csv", "--url"),
    ("erp follow X --url nonsense --token t", "nonsense"),
    ("erp follow X --url http://h:port --token t", "port"),
    ("erp follow X --url http://127.0.0.1:1 --token ü", "token"),
    ("export-lif none/x", "site"),
    ("bench", "NAME"),
    ("bench none", "none"),
    ("bench assign --json", "--json"),
    ("bench assign --json none/x", "--json"),
    *((f"bench {bench} --seed {n}", "--seed") for bench in ("assign", "floor", "waves") for n in ("x", "-1", "1e3")),
    *((f"bench assign --robots {n}", "--robots") for n in ("0", "-1", "nan", "9999999999999999999999")),
    *((f"bench waves --seconds {n}", "--seconds") for n in ("0", "-1", "nan", "inf", "x")),
    *((f"bench floor --stalls {n}", "--stalls") for n in ("-0.1", "1.1", "nan")),
    *((f"bench traffic --instance x --robots {n}", "--robots") for n in ("x", "0", "1,-1", "1,,2")),
    *((f"bench traffic --steps 5 --instance {f}", f) for f in (*BAD_FILES, "blind.json")),
    *((f"bench slotting --orders {f}", f) for f in BAD_FILES),
    *((f"bench {b} --data {f}", f) for b in ("picking", "batching", "transport") for f in ("none", "empty", "folder")),
    *((f"bench {b} --data data{n}", f":{line}") for b in ("picking", "batching") for n, line in ((1, 1), (2, 1))),
    ("bench picking --data data3", ":2"),
    ("bench batching --data data3", ":1"),
    ("bench traffic --steps 5 --instance outside.json", "agentFile/1"),
    ("bench traffic --steps 5 --instance twice.json", "agentFile"),
    ("bench picking --data data4", "picks/1/0: 3 is not in 0..2"),
    ("bench picking --data data5", "depot_aisle"),
    ("bench picking --data data0", "at least one instance"),
    ("replay r --at x", "--at"),
    ("nonsense", "nonsense"),
]  # fmt: skip
"""A command line, and what its answer names."""


TOUR = {
    "name": "t", "aisles": 3, "cells": 9, "depot_aisle": 0, "depot": "bottom", "picks": [[1, 2], [2, 3]],
    "opt_1block": 30.0, "opt_2block": 30.0,
}  # fmt: skip
GOOD = json.dumps(TOUR).encode()
INSTANCES = (
    b"", b'{"aisles":\n', b"[]\n", GOOD + b"\n{}\n",
    json.dumps(TOUR | {"picks": [[1, 2], [3, 3]]}).encode(), json.dumps(TOUR | {"depot_aisle": 3}).encode(),
)  # fmt: skip


def lif(edges: tuple[object, ...]) -> dict[str, object]:
    """Three nodes, two stations, and these edges."""
    own = {"vehicleTypeId": "v"}
    return {
        "metaInformation": {
            "projectIdentification": "p", "creator": "c", "exportTimestamp": "2026-01-01T00:00:00Z",
            "lifVersion": "1.0.0",
        },
        "layouts": [{
            "layoutId": "L", "layoutVersion": "1",
            "nodes": [{"nodeId": n, "nodePosition": {"x": k, "y": 0}, "vehicleTypeNodeProperties": [own]}
                      for k, n in enumerate("abc")],
            "edges": [{"edgeId": name, "startNodeId": a, "endNodeId": b, "vehicleTypeEdgeProperties": [own]}
                      for name, a, b in edges],
            "stations": [{"stationId": s, "interactionNodeIds": [n]} for s, n in (("S1", "a"), ("S2", "c"))],
        }],
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are wrong in every way."""
    at = tmp_path_factory.mktemp("wrong")
    for name, content in {
        "empty": b"", "bytes": bytes(range(256)), "cut.gz": b"\x1f\x8b\x08\x00abc", "list.json": b"[1, 2]",
        "object.json": b"{}", "cut.json": b'{"id": ', "bom.json": b"\xef\xbb\xbf{}", "head.csv": HEADER.encode(),
        "good.csv": (HEADER + "1,2013-12-02,,a,1,l,c\n").encode(), "folder-of-others/x": b"", "folder/.keep": b"",
    }.items():  # fmt: skip
        (at / name).parent.mkdir(exist_ok=True)
        (at / name).write_bytes(content)
    for name, (edges, _) in ODD.items():
        (at / f"{name}.lif").write_text(json.dumps(lif(edges)))
    for n, lines in enumerate(INSTANCES):
        for name in ("sprp/sprp_2400_opt", "batching/henn_waescher_720", "batching/muter_oncan_wg_270"):
            (at / f"data{n}" / name).parent.mkdir(parents=True, exist_ok=True)
            (at / f"data{n}" / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines))
    (at / "m.map").write_text("type octile\nheight 2\nwidth 2\nmap\n..\n.@\n")
    (at / "no.map").write_text("..\n..\n")
    for name, text in (("two", "2\n0\n1\n"), ("out", "2\n0\n-1\n"), ("same", "2\n0\n0\n")):
        (at / name).write_text(text)
    for name, floor, agents in (("blind", "no.map", "two"), ("outside", "m.map", "out"), ("twice", "m.map", "same")):
        head = {"mapFile": floor, "agentFile": agents, "taskFile": "two", "teamSize": 2}
        (at / f"{name}.json").write_text(json.dumps(head))
    return at


@pytest.fixture(autouse=True)
def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In that folder, without the settings of whoever runs the tests."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "300")
    for name in [n for n in os.environ if n.startswith("FLOORPLANE_")]:
        monkeypatch.delenv(name)


def there() -> list[Path]:
    """What lies in the folder, but for that of a floor, which `up` takes before it looks at ports."""
    return sorted(p for p in Path().rglob("*") if p.parts[0] != ".floorplane")


def told(line: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[object, str]:
    """Exit status and words of a command."""
    monkeypatch.setattr(sys, "argv", ["floorplane", *(w.strip("'") for w in line.split())])
    try:
        cli.main()
    except SystemExit as e:
        status: object = e.code
    else:
        status = 0
    out, err = capfd.readouterr()
    return status, out + err


def rows(*, benches: bool) -> list[tuple[str, str]]:
    """Those of `WRONG` that measure, or the others; processes have a test of their own."""
    return [w for w in WRONG if w[0].split()[0] not in KINDS and w[0].startswith("bench ") is benches]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "named"), rows(benches=True), ids=lambda x: x or "-")
def test_a_wrong_benchmark_is_told_what_is_wrong(
    line: str, named: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option out of its bounds, an instance that is none: named before anything is measured."""
    test_a_wrong_command_is_told_what_is_wrong(line, named, capfd, monkeypatch)


@pytest.mark.parametrize(("line", "named"), rows(benches=False), ids=lambda x: x or "-")
def test_a_wrong_command_is_told_what_is_wrong(
    line: str, named: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 where its user can mend it, 1 where something does not answer; nothing has begun."""
    before = there()
    status, said = told(line, capfd, monkeypatch)
    assert status in {1, 2} or line == "bench", said
    assert "Traceback" not in said
    assert named in said
    assert there() == before


@pytest.mark.parametrize("command", [*(c for c in COMMANDS if c not in KINDS), "erp", "robot", ""])
def test_help_teaches(command: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command says what it does and lists its flags."""
    status, said = told(f"{command} --help", capfd, monkeypatch)
    assert status == 0
    assert "--" in said


@pytest.mark.parametrize("process", KINDS)
def test_a_process_that_cannot_begin_says_why(process: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A site that is none ends it at once with 2, before it looks for its servers."""
    for site in BAD_FILES:
        assert run_process(process, ["--site", site, *NOBODY.split()]) == 2
        said = "".join(capfd.readouterr())
        assert f"floorplane: site: '{site}' is not" in said
        assert "Traceback" not in said

"""The habits of the house that no linter knows."""

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("contracts", "controllers", "vision", "edge", "dispatcher", "central", "simulators", "deploy")
MOST_LINES = 400
LONGER: dict[str, str] = {
    "contracts/vda5050/v2.py": "one standard's messages, which refer to each other",
    "controllers/vda5050/vehicle.py": "one state machine; its transitions are read side by side",
    "deploy/bench/fleet.py": "one benchmark with its child processes, which agree on files and topics",
}
"""Files that may be longer, each with the reason."""
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}
MACHINE_PATHS = re.compile(
    r"/(?:root|home/[a-z]\w*|Users/\w+|work/(?:main|shared))\b|https?://(?:[\w.-]*\bpypi\b[\w.-]*|registry\.npmjs\.org)"
)
TEXT = {".py", ".toml", ".md", ".sql", ".js", ".css", ".html", ".yml", ".yaml", ".json", ".lock", ".sh", ".ts", ""}
UNSAFE_IN_A_DEFAULT = re.compile(r"0\.0\.0\.0|::$")
SECRET = re.compile(
    r"(?i)(?:password|secret|token|api_?key)\s*[:=]\s*[\"'][^\"'{}\s$<]{12,}[\"']|BEGIN (?:RSA )?PRIVATE KEY"
)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
             "GIT_CONFIG_VALUE_0": "*"},
    )  # fmt: skip
    return tuple(
        ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name and (ROOT / os.fsdecode(name)).is_file()
    )


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in files():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ROOMS:
            yield path, ast.parse(path.read_text())


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_holds_two_purposes_worth_of_lines() -> None:
    """A file over 400 lines is split, or listed with its reason; a listed one that shrank is taken off the list."""
    lengths = {name(p): len(p.read_text().splitlines()) for p, _ in modules()}
    assert {n: k for n, k in lengths.items() if k > MOST_LINES and n not in LONGER} == {}
    assert [n for n in LONGER if lengths.get(n, 0) <= MOST_LINES] == []


def test_modules_are_named_by_what_they_hold() -> None:
    """No utils, common, helpers, manager or base."""
    assert [name(p) for p in files() if p.suffix == ".py" and p.stem in FORBIDDEN_NAMES] == []
    assert [name(p) for p in files() if FORBIDDEN_NAMES & set(p.relative_to(ROOT).parts[:-1])] == []


def test_nothing_knows_the_machine_it_was_written_on() -> None:
    """No home folders, work places or registry hosts in what is committed."""
    me = Path(__file__).resolve()
    found = {}
    for path in files():
        if path.suffix in TEXT and path.resolve() != me and path.stat().st_size < 3_000_000:
            hit = MACHINE_PATHS.search(path.read_text(errors="replace"))
            if hit:
                found[name(path)] = hit.group()
    assert found == {}


def test_no_secret_stands_in_the_tree() -> None:
    """No key, and no password, secret or token with a value, outside tests."""
    found = {}
    for path in files():
        if path.suffix in TEXT - {".lock"} and path.relative_to(ROOT).parts[0] != "tests":
            hit = SECRET.search(path.read_text(errors="replace"))
            if hit:
                found[name(path)] = hit.group()
    assert found == {}


def test_every_room_is_a_typed_package() -> None:
    """Each room has its __init__ and says that it is typed, and nothing else is importable at the top."""
    for room in ROOMS:
        assert (ROOT / room / "__init__.py").exists(), room
        assert (ROOT / room / "py.typed").exists(), room
    tops = {p.relative_to(ROOT).parts[0] for p in files() if p.suffix == ".py" and p.parent != ROOT}
    assert tops - {*ROOMS, "tests", "docs"} == set()


def test_every_module_and_public_thing_says_what_it_is_for() -> None:
    """A module that is not an empty __init__ begins with its purpose."""
    assert [name(p) for p, tree in modules() if tree.body and ast.get_docstring(tree) is None] == []


def test_time_and_chance_come_from_outside() -> None:
    """Where decisions are made nobody reads the wall clock, draws at random, or makes a uuid4."""
    deciding = re.compile(
        r"^(contracts/(?!runtime/)|dispatcher/|edge/rules/|controllers/[^/]+\.py|central/(?!service|bootstrap))"
    )
    banned = {
        ("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("uuid", "uuid4"),
        ("uuid", "uuid1"), ("os", "urandom"), ("random", "random"), ("random", "choice"), ("random", "shuffle"),
    }  # fmt: skip
    found = []
    for path, tree in modules():
        if not deciding.match(name(path)) or name(path) in CLOCK_READERS:
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and (node.value.id, node.attr) in banned
            ):
                found.append(f"{name(path)}:{node.lineno} {node.value.id}.{node.attr}")
            if isinstance(node, ast.ImportFrom) and node.module in {"uuid", "time", "random"}:
                found += [f"{name(path)}:{node.lineno} {a.name}" for a in node.names if (node.module, a.name) in banned]
    assert found == []


CLOCK_READERS: dict[str, str] = {
    "central/identity/bootstrap.py": "links and tokens of people live on the wall's time, and in no digest",
}
"""Files of deciding rooms that may read the wall clock or draw secrets, each with the reason."""


def test_no_task_is_an_orphan() -> None:
    """Every task has a name, so that a hang can be read."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "create_task"
        and not any(k.arg == "name" for k in node.keywords)
    ]
    assert found == []


def test_nothing_is_swallowed() -> None:
    """No bare except, and no handler of Exception that says and does nothing."""
    found = []
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (
                    isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
                )
                if broad and all(isinstance(s, ast.Pass) for s in node.body):
                    found.append(f"{name(path)}:{node.lineno}")
    assert found == []


def test_no_server_starts_on_a_public_address() -> None:
    """No default listens on all interfaces."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in ("0.0.0.0", "::")
    ]
    assert found == []


def test_the_lock_file_names_wheels_with_hashes_only() -> None:
    """Everything pinned, everything hashed, no index named."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert pinned
    assert [line for line in pinned if "==" not in line or not line.endswith("\\")] == []
    assert [line for line in lines if "://" in line or "--index" in line] == []

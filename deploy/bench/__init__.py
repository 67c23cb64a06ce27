"""Benchmarks by name, run by `frame`: each a module with ``def run(args: list[str]) -> dict[str, object]``."""

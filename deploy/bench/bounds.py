"""Numbers that a benchmark's options may have; argparse says which one is out of them, with status 2."""

import argparse
import math
from collections.abc import Callable

SEED = 2**31 - 1


def whole(least: int, most: int = 1_000_000_000) -> Callable[[str], int]:
    """Return what reads a whole number in `least`..`most`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number in {least}..{most}")
        return value

    return read


def number(least: float, most: float = 1e9, *, above: bool = False) -> Callable[[str], float]:
    """Return what reads a number in `least`..`most`; `above`: not the least itself."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or (above and value == least):
            bound = f"above {least:g} and at most {most:g}" if above else f"in {least:g}..{most:g}"
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number {bound}")
        return value

    return read


def counts(least: int, most: int) -> Callable[[str], list[int]]:
    """Return what reads whole numbers with commas between."""
    one = whole(least, most)
    return lambda text: [one(part) for part in text.split(",")]


positive, seed = number(0, above=True), whole(0, SEED)

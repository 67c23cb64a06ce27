"""Code 128 with FNC1 in front, which is GS1-128: the shortest row of symbol characters, its check, its bars. Pure.

ISO/IEC 15417: code sets B and C, the check character modulo 103, the stop pattern.
"""

from collections.abc import Sequence

from central.labels.gs1 import FNC1
from contracts.errors import Rejected

START_B, START_C, STOP = 104, 105, 106
TO_C, TO_B, FNC1_VALUE = 99, 100, 102
QUIET_MODULES = 10
"""White on either side, at least."""
_WIDTHS = (  # noqa: SIM905 - a table to read
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112"
).split()
_FAR = 10**9


def values(text: str) -> list[int]:
    """Return the symbol characters of an element string: start, FNC1, data, check, stop.

    The code set is changed where that makes the row shortest (dynamic programming from the end).

    Raises
    ------
    Rejected
        A character is neither printable ASCII nor FNC1, or there is none.
    """
    if not text or any(c != FNC1 and not " " <= c <= "~" for c in text):
        raise Rejected("symbol", text, "printable ASCII characters and FNC1, at least one")
    count = len(text)
    cost = [[0, 0] for _ in range(count + 1)]  # what is still needed from here, being in B or C
    for n in reversed(range(count)):
        pair = text[n : n + 2]
        in_b = 1 + cost[n + 1][0]
        in_c = _FAR
        if text[n] == FNC1:
            in_c = 1 + cost[n + 1][1]
        elif len(pair) == 2 and pair.isascii() and pair.isdigit():
            in_c = 1 + cost[n + 2][1]
        cost[n] = [min(in_b, 1 + in_c), min(in_c, 1 + in_b)]
    in_set = 1 if cost[0][1] <= cost[0][0] else 0
    row = [START_C if in_set else START_B, FNC1_VALUE]
    n = 0
    while n < count:
        stay = cost[n][in_set]
        pair = text[n : n + 2]
        if text[n] == FNC1 and stay == 1 + cost[n + 1][in_set]:
            row.append(FNC1_VALUE)
            n += 1
        elif in_set and len(pair) == 2 and pair.isdigit() and stay == 1 + cost[n + 2][1]:
            row.append(int(pair))
            n += 2
        elif not in_set and text[n] != FNC1 and stay == 1 + cost[n + 1][0]:
            row.append(ord(text[n]) - 32)
            n += 1
        else:
            row.append(TO_B if in_set else TO_C)
            in_set = 1 - in_set
    check = (row[0] + sum(k * v for k, v in enumerate(row[1:], 1))) % 103
    return [*row, check, STOP]


def widths(row: Sequence[int]) -> list[int]:
    """Return the widths in modules of bar, space, bar, … of symbol characters; the first is a bar, and the last."""
    return [int(w) for v in row for w in _WIDTHS[v]]


def modules(row: Sequence[int]) -> int:
    """Return how many modules wide symbol characters are, without the quiet zones."""
    return sum(widths(row))

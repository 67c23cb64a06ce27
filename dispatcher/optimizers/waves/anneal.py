"""Annealing over sequences: a batch goes to another place in the rows, or two change places; rows are timed exactly."""

import numpy as np
from numba import njit


@njit(cache=True)
def row_charge(row, length, worker, windows, begin, duration, due, release, weight, unplanned, stop):  # type: ignore[no-untyped-def]
    """Charge of one worker's row when each batch begins as early as it can; `stop` is a charge that is enough to know.

    `windows` has shape (workers, most windows, 2), unused ones are empty; what fits no more is charged `unplanned`.
    """
    at, charge, first = begin[worker], 0, 0
    for k in range(length):
        n = row[k]
        from_s = max(at, release[n])
        done = False
        for w in range(first, windows.shape[1]):
            start = max(windows[worker, w, 0], from_s)
            if start + duration[n] <= windows[worker, w, 1]:
                at = start + duration[n]
                charge += weight[n] * max(0, at - due[n])
                done = True
                break
        if not done:
            charge += weight[n] * unplanned
        if charge >= stop:
            return charge
    return charge


@njit(cache=True)
def anneal(  # type: ignore[no-untyped-def]
    rows, size, able, windows, begin, duration, due, release, weight, unplanned, moves, hot, cold, seed
):  # fmt: skip
    """Try so many moves on `rows` (workers + 1, batches); the last row holds what is left. Return the best rows, sizes.

    Temperatures fall from `hot` to `cold` (charge) geometrically.
    """
    np.random.seed(seed)
    workers, batches = rows.shape[0] - 1, rows.shape[1]
    rows, size = rows.copy(), size.copy()
    holder, place = np.empty(batches, np.int64), np.empty(batches, np.int64)
    charge = np.zeros(workers + 1, np.int64)
    for k in range(workers + 1):
        for m in range(size[k]):
            holder[rows[k, m]], place[rows[k, m]] = k, m
            if k == workers:
                charge[k] += weight[rows[k, m]] * unplanned
        if k < workers:
            charge[k] = row_charge(
                rows[k], size[k], k, windows, begin, duration, due, release, weight, unplanned, 1 << 60
            )
    now = charge.sum()
    best, best_rows, best_size = now, rows.copy(), size.copy()
    one, two = np.empty(batches, np.int64), np.empty(batches, np.int64)
    fall = (cold / hot) ** (1.0 / max(1, moves))
    heat = hot
    for _ in range(moves):
        heat *= fall
        n = np.random.randint(batches)
        a = holder[n]
        m = -1
        if np.random.random() < 0.5:
            b = np.random.randint(workers)
            # beside a batch that is due about then, or anywhere
            spot = np.random.randint(size[b] + 1)
        else:
            m = np.random.randint(batches)
            b = holder[m]
            spot = place[m]
            if m == n or (a < workers and not able[m, a]):
                continue
        if b < workers and not able[n, b]:
            continue
        if a == workers and b == workers:
            continue
        enough = charge[a] + (charge[b] if b != a else 0) - heat * np.log(np.random.random())
        # the rows as they would be
        x, y = 0, 0
        if a == b:
            if m >= 0:
                one[: size[a]] = rows[a, : size[a]]
                one[place[n]], one[spot] = m, n
                x = size[a]
            else:
                for k in range(size[a]):
                    if x == spot:
                        one[x] = n
                        x += 1
                    if rows[a, k] != n:
                        one[x] = rows[a, k]
                        x += 1
                if x < size[a]:
                    one[x] = n
                    x += 1
        else:
            for k in range(size[a]):
                if rows[a, k] != n:
                    one[x] = rows[a, k]
                    x += 1
                elif m >= 0:
                    one[x] = m
                    x += 1
            for k in range(size[b]):
                if k == spot:
                    two[y] = n
                    y += 1
                    if m >= 0:
                        continue
                two[y] = rows[b, k]
                y += 1
            if y == spot and m < 0:
                two[y] = n
                y += 1
        new_a, new_b = 0, 0
        if a < workers:
            new_a = row_charge(one, x, a, windows, begin, duration, due, release, weight, unplanned, enough)
        else:
            for k in range(x):
                new_a += weight[one[k]] * unplanned
        if new_a >= enough:
            continue
        if a != b:
            if b < workers:
                new_b = row_charge(two, y, b, windows, begin, duration, due, release, weight, unplanned, enough - new_a)
            else:
                for k in range(y):
                    new_b += weight[two[k]] * unplanned
            if new_a + new_b >= enough:
                continue
        now += new_a - charge[a]
        charge[a], size[a] = new_a, x
        rows[a, :x] = one[:x]
        for k in range(x):
            holder[one[k]], place[one[k]] = a, k
        if a != b:
            now += new_b - charge[b]
            charge[b], size[b] = new_b, y
            rows[b, :y] = two[:y]
            for k in range(y):
                holder[two[k]], place[two[k]] = b, k
        if now < best:
            best = now
            best_rows[:], best_size[:] = rows, size
    return best_rows, best_size

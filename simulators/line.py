"""The conveyor loop's twin: totes join at infeeds when there is a gap, pass the sorter's scanner, and leave at chutes.

The belt carries totes rigidly, so their places follow from one belt coordinate; totes that find no gap accumulate at
their infeed. The controller program and the belt share nothing with the edge but the tag table `controllers.tags.LINE`.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from contracts.ids import StationId
from contracts.runtime.clock import Clock
from contracts.site import Site
from controllers.ports import TagValue
from simulators.scanner import ScannerTwin
from simulators.tag_bank import TagBank
from simulators.world import Tote

GAP_M = 0.9
"""Closest two totes may follow each other."""
INFEED_TOTES = 4
"""Totes that fit on one infeed."""
_LAST_INDEX = 65_535


class Carried(msgspec.Struct):
    """A tote on the belt: where it was put, as the belt coordinate of place 0 at that moment, and its last index."""

    tote: Tote
    origin_m: float
    index: int = 0
    chute: int | None = None
    next_stop: int = 0
    next_m: float = 0.0
    """The belt coordinate at which it reaches its next photo-eye."""


class Riding(msgspec.Struct, frozen=True):
    """A tote on the belt and how far it is, from the sorter's scanner in driving direction, in m."""

    tote: Tote
    at_m: float
    index: int
    chute: int | None


class LineTotes(msgspec.Struct, frozen=True):
    """Where all totes of the line are."""

    riding: tuple[Riding, ...]
    infeeds: dict[StationId, tuple[Tote, ...]]
    on_chute: tuple[tuple[Tote, ...], ...]


class LineTwin:
    """The loop, its sorter and their controller.

    Parameters
    ----------
    site
        Length, infeeds and chutes.
    bank
        The controller's tags.
    scanner
        The scanner at place 0, before the first chute.
    speed_mps
        Speed of the belt.
    """

    def __init__(self, site: Site, bank: TagBank, scanner: ScannerTwin, clock: Clock, speed_mps: float = 0.6) -> None:
        self._length_m, self._infeed_m = site.line_length_m, site.infeed_m
        self._chutes = site.chutes
        self.bank, self._scanner, self._clock, self._speed_mps = bank, scanner, clock, speed_mps
        self._belt_m, self._since_ms = 0.0, clock.now_ms()
        self._riding: list[Carried] = []
        self._infeeds: dict[StationId, deque[Tote]] = {s: deque() for s in site.infeed_m}
        self.on_chute: list[deque[Tote]] = [deque() for _ in site.chutes]
        self._by_index: dict[int, Carried] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = False
        self._arrivals: list[Callable[[], None]] = [lambda: None for _ in site.chutes]
        self._room: dict[StationId, list[Callable[[], None]]] = {s: [] for s in site.infeed_m}
        bank.written.add(self._written)

    # ------------------------------------------------------------------------------------------- what people do to it

    def offer(self, station: StationId, tote: Tote) -> bool:
        """Push a tote onto a station's infeed; False when that is full."""
        queue = self._infeeds[station]
        if len(queue) >= INFEED_TOTES:
            return False
        queue.append(tote)
        self._go_on()
        return True

    def on_room(self, station: StationId, call: Callable[[], None]) -> None:
        """Call whenever a tote left a station's infeed."""
        self._room[station].append(call)

    def on_arrival(self, chute: int, call: Callable[[], None]) -> None:
        """Call whenever a tote came down a chute (0-based)."""
        self._arrivals[chute] = call

    def take(self, chute: int) -> Tote:
        """Take the first tote off a chute."""
        tote = self.on_chute[chute].popleft()
        self._tell_full()
        return tote

    def jam(self) -> None:
        """Let a tote be stuck: the belt stands until it is freed and told to run again."""
        self._blocked = True
        self._stop(jam=True)

    def free(self) -> None:
        """Take the stuck tote out; to run again is for the edge to say."""
        self._blocked = False
        self.bank.set(jam=False)

    @property
    def totes(self) -> tuple[Tote, ...]:
        """All totes on the line: infeeds, belt and chutes."""
        waiting = [t for q in (*self._infeeds.values(), *self.on_chute) for t in q]
        return (*(c.tote for c in self._riding), *waiting)

    @property
    def running(self) -> bool:
        """Whether the belt moves."""
        return bool(self.bank["running"])

    def where(self) -> LineTotes:
        """Return where all totes are."""
        now_m, length = self._at_m(), self._length_m
        riding = (Riding(c.tote, (c.origin_m + now_m) % length, c.index, c.chute) for c in self._riding)
        infeeds = {s: tuple(q) for s, q in self._infeeds.items() if q}
        return LineTotes(tuple(riding), infeeds, tuple(tuple(q) for q in self.on_chute))

    def resume(self, totes: LineTotes) -> None:
        """Put totes where another run left them; the belt stands until it is told to run."""
        self.bank.set(running=False)
        now_m = self._belt_m
        for one in totes.riding:
            carried = Carried(one.tote, one.at_m - now_m, one.index, one.chute)
            self._riding.append(carried)
            self._by_index[one.index] = carried
            passed = sum(c.position_m <= one.at_m for c in self._chutes)
            between = one.index and passed < len(self._chutes)
            self._aim(carried, now_m, one.at_m, passed + 1 if between else 0)
        for station, waiting in totes.infeeds.items():
            self._infeeds[station].extend(waiting)
        for chute, waiting in enumerate(totes.on_chute):
            self.on_chute[chute].extend(waiting)
        self._tell_full()

    # ------------------------------------------------------------------------------------------------- its controller

    def _written(self, values: dict[str, TagValue]) -> None:
        if "run" in values or "reset" in values:
            if self.bank["run"]:
                self._start()
            else:
                self._stop(jam=self._blocked)
        if "route_seq" in values:
            carried = self._by_index.get(self.bank["route_index"])
            if carried is not None and self.bank["route_chute"] < len(self._chutes):
                carried.chute = self.bank["route_chute"]

    def _start(self) -> None:
        if self._blocked or self.bank["estop"] or not self.bank["run"] or self.running:
            return
        self._since_ms = self._clock.now_ms()
        self.bank.set(running=True)
        self._go_on()

    def _stop(self, *, jam: bool) -> None:
        self._belt_m, self._since_ms = self._at_m(), self._clock.now_ms()
        self.bank.set(running=False, jam=jam)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ------------------------------------------------------------------------------------------------------- the belt

    def _at_m(self) -> float:
        if not self.running:
            return self._belt_m
        return self._belt_m + self._speed_mps * (self._clock.now_ms() - self._since_ms) / 1000

    def _go_on(self) -> None:
        """Do what is due at this place of the belt, then wait for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.running:
            return
        now_m = self._at_m()
        for carried in [c for c in self._riding if c.next_m <= now_m + 1e-3]:
            self._stop_at(carried)
        merge_m = [m for m in (self._merge(s, now_m) for s, q in self._infeeds.items() if q) if m is not None]
        next_m = min([*merge_m, *(c.next_m for c in self._riding)], default=None)
        if next_m is not None:
            self._timer = self._clock.call_later(max(0.001, (next_m - now_m) / self._speed_mps), self._go_on)

    def _merge(self, station: StationId, now_m: float) -> float | None:
        """Let the first tote of an infeed onto the belt if there is a gap; say at which coordinate to try again."""
        place = self._infeed_m[station]
        again = None
        for carried in self._riding:
            ahead = (carried.origin_m + now_m - place + self._length_m / 2) % self._length_m - self._length_m / 2
            if abs(ahead) < GAP_M:
                again = max(again or 0.0, now_m + GAP_M - ahead + 1e-3)
        if again is not None:
            return again
        queue = self._infeeds[station]
        carried = Carried(queue.popleft(), place - now_m)
        self._riding.append(carried)
        self._aim(carried, now_m, place, 0)
        for call in self._room[station]:
            call()
        return now_m + GAP_M if queue else None

    def _aim(self, carried: Carried, now_m: float, place_m: float, stop: int) -> None:
        """Set the next photo-eye: 0 is the sorter's scanner, k the k-th chute."""
        carried.next_stop = stop
        target = self._chutes[stop - 1].position_m if stop else self._length_m
        carried.next_m = now_m + target - place_m

    def _stop_at(self, carried: Carried) -> None:
        now_m, stop = carried.next_m, carried.next_stop
        if stop == 0:
            self._by_index.pop(carried.index, None)
            carried.index, carried.chute = self.bank["scan_index"] % _LAST_INDEX + 1, None
            self._by_index[carried.index] = carried
            self._aim(carried, now_m, 0.0, 1)
            self.bank.set(scan_index=carried.index)
            self._scanner.scan(carried.tote.label)
            return
        chute = stop - 1
        if carried.chute == chute and len(self.on_chute[chute]) < self._chutes[chute].capacity:
            self._riding.remove(carried)
            self._by_index.pop(carried.index, None)
            self.on_chute[chute].append(carried.tote)
            count = (self.bank[f"diverted_count_{chute}"] + 1) % 65_536
            self.bank.set(**{f"diverted_index_{chute}": carried.index, f"diverted_count_{chute}": count})
            self._tell_full()
            self._arrivals[chute]()
        else:
            last = stop == len(self._chutes)
            self._aim(carried, now_m, self._chutes[chute].position_m, 0 if last else stop + 1)

    def _tell_full(self) -> None:
        mask = sum(1 << k for k, c in enumerate(self._chutes) if len(self.on_chute[k]) >= c.capacity)
        self.bank.set(chute_full=mask)

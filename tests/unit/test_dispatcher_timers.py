"""Due times inside the core."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.timers import Timers


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 50), st.sampled_from(["set", "earlier", "cancel"]))))
def test_what_is_set_last_counts_and_a_cancelled_one_never_wakes(script: list[tuple[str, int, str]]) -> None:
    timers, model = Timers(), dict[str, int]()
    for name, at, what in script:
        if what == "set":
            timers.set(at, name)
            model[name] = at
        elif what == "earlier":
            timers.earlier(at, name)
            model[name] = min(at, model.get(name, at))
        else:
            timers.cancel(name)
            model.pop(name, None)
        assert timers.next_ms() == min(model.values(), default=None)
    due = [name for name, _ in timers.pop(25)]
    assert sorted(due) == sorted(n for n, at in model.items() if at <= 25)
    assert [model[n] for n in due] == sorted(model[n] for n in due)
    assert timers.next_ms() == min((at for at in model.values() if at > 25), default=None)


def test_ties_fall_due_in_the_order_in_which_they_were_set() -> None:
    timers = Timers()
    for name in ("z", "a", "m"):
        timers.set(5, name)
    assert [n for n, _ in timers.pop(5)] == ["z", "a", "m"]


def test_after_a_restart_everything_is_due_at_once() -> None:
    timers = Timers()
    timers.set(900, "late")
    timers.set(800, "sooner")
    timers.hasten(10)
    assert {n for n, _ in timers.pop(10)} == {"late", "sooner"}

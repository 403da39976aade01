"""Interval arithmetic: every concrete result lies inside, both ends are reached, and nothing on the way was forgotten."""

from __future__ import annotations

import ast
import operator
import random
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tracked import Track

from neuroemu.chip.width import Bits
from neuroemu.language import interval as iv
from neuroemu.language import isa
from neuroemu.language.interval import DECAY, DISTANCE, INT32, INT64, TRANSFER, Interval
from neuroemu.language.isa import INTRINSICS

INTEGERS = st.integers(-(1 << 62), (1 << 62) - 1) | st.integers(-40, 40)


def ordered(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[Interval]:
    """Intervals with ends drawn from ``numbers``."""
    return st.tuples(numbers, numbers).map(lambda ends: Interval(*sorted(ends)))


def inside(interval: Interval, rng: random.Random) -> int:
    """A value of the interval, often one of its ends."""
    return rng.choice([*interval, rng.randint(*interval)])


ARITHMETIC: dict[str, tuple[Callable[..., Interval], Callable[..., int], int]] = {
    "add": (iv.add, operator.add, 2),
    "subtract": (iv.subtract, operator.sub, 2),
    "multiply": (iv.multiply, operator.mul, 2),
    "negate": (iv.negate, operator.neg, 1),
    "absolute": (iv.absolute, abs, 1),
    "minimum": (iv.minimum, min, 3),
    "maximum": (iv.maximum, max, 3),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_exact_at_both_ends(name: str) -> None:
    transfer, function, count = ARITHMETIC[name]
    ends = [Interval(a, b) for a, b in ((-5, -2), (-3, 0), (-2, 4), (0, 0), (1, 6), (-7, 7))]
    for intervals in product(ends, repeat=count):
        results = [function(*values) for values in product(*(range(a, b + 1) for a, b in intervals))]
        assert transfer(*intervals) == (min(results), max(results)), intervals


# ---- intrinsics: the arguments of a transfer function are the intrinsic's, without keys and draws
def _call(name: str, values: tuple[int, ...], noise: int) -> int:
    """The intrinsic on concrete values; ``noise`` stands for the random number of shift_stochastic."""
    if name == "shift_stochastic":
        return (values[0] + noise) >> values[1]
    return {**INTRINSICS, "min": min, "max": max, "abs": abs}[name](*values)


DOMAINS: dict[str, list[st.SearchStrategy[Interval]]] = {
    "clamp": [ordered(INTEGERS)] * 3,
    **{
        name: [ordered(INTEGERS), ordered(st.integers(*DISTANCE))]
        for name in ("shift_left", "shift_floor", "shift_zero", "shift_round", "shift_away", "shift_stochastic")
    },
    "decay_to_zero": [ordered(INTEGERS), ordered(st.integers(*DECAY))],
    "leading_one": [ordered(INTEGERS)],
}


@pytest.mark.parametrize("name", DOMAINS)
def test_every_result_of_an_intrinsic_is_inside(name: str) -> None:
    @given(st.tuples(*DOMAINS[name]), st.randoms(use_true_random=False))
    def check(intervals: tuple[Interval, ...], rng: random.Random) -> None:
        result, _ = TRANSFER[name](*intervals)
        for _ in range(10):
            values = tuple(inside(interval, rng) for interval in intervals)
            noise = inside(Interval(0, (1 << values[-1]) - 1), rng) if name == "shift_stochastic" else 0
            value = _call(name, values, noise)
            assert result.low <= value <= result.high, values

    check()


@pytest.mark.parametrize("name", DOMAINS)
def test_both_ends_of_an_intrinsic_are_reached(name: str) -> None:
    numbers = [Interval(a, b) for a, b in ((-9, -4), (-6, 0), (-3, 5), (0, 0), (0, 7), (3, 11))]
    distances = [Interval(0, 0), Interval(0, 3), Interval(1, 2), Interval(4, 4)]
    second = {"clamp": numbers, "decay_to_zero": [Interval(0, 0), Interval(4090, 4096), Interval(4096, 4096)]}
    choices = [numbers, second.get(name, distances), numbers][: len(DOMAINS[name])]
    for intervals in product(*choices):
        results = set()
        for values in product(*(range(a, b + 1) for a, b in intervals)):
            noises = range(1 << values[-1]) if name == "shift_stochastic" else (0,)
            results |= {_call(name, values, noise) for noise in noises}
        assert TRANSFER[name](*intervals)[0] == (min(results), max(results)), intervals


@pytest.mark.parametrize(
    ("name", "intervals", "result"),
    [
        ("uniform", ((0, 5),), (0, 31)),
        ("uniform", ((0, 0),), (0, 0)),
        ("min", ((-3, 5), (0, 9), (2, 4)), (-3, 4)),
        ("max", ((-3, 5), (0, 9)), (0, 9)),
        ("abs", ((-8, 5),), (0, 8)),
        ("abs", ((-8, -5),), (5, 8)),
        ("shift_left", ((-3, 5), (0, 62)), (-3 << 62, 5 << 62)),
        ("leading_one", ((-100, 1 << 40),), (0, 40)),
        ("clamp", ((0, 100), (10, 20), (50, 60)), (10, 60)),
        ("clamp", ((0, 3), (10, 20), (50, 60)), (10, 20)),
    ],
)
def test_intervals_by_hand(name: str, intervals: tuple[tuple[int, int], ...], result: tuple[int, int]) -> None:
    assert TRANSFER[name](*(Interval(*ends) for ends in intervals))[0] == result


# ---- values on the way
@given(
    st.sampled_from([name for name in DOMAINS if name != "shift_stochastic"]),
    ordered(st.integers(-(1 << 64), 1 << 64) | st.integers(-(1 << 33), 1 << 33)),
    st.data(),
)
@example("decay_to_zero", Interval(-(1 << 31), 0), None)
@example("shift_zero", Interval(-(1 << 63), 0), None)
@example("shift_round", Interval(0, INT32.high), None)
@example("shift_away", Interval(-INT64.high, 0), None)
def test_values_on_the_way_are_covered(name: str, x: Interval, data: st.DataObject | None) -> None:
    """If everything a proof looks at has 32 (or 64) bits, so has every intermediate of the source, which is traced."""
    for whole, most in ((INT32, 30), (INT64, 62)):
        rest = [Interval(0, 4096 if name == "decay_to_zero" else most)] * (len(DOMAINS[name]) - 1)
        if data is not None:
            rest = [data.draw(ordered(st.integers(0, interval.high))) for interval in rest]
        result, inner = TRANSFER[name](x, *rest)
        if not all(value.within(whole) for value in (x, result, *inner)):
            continue
        for values in product(
            *(sorted({*interval, min(max(0, interval.low), interval.high)}) for interval in (x, *rest))
        ):
            track = Track()
            INTRINSICS[name](*map(track, values))
            assert Interval(track.low, track.high).within(whole), values


@given(st.integers(*INT64), st.integers(1, 63), st.integers(0, 1))
@example(INT64.high, 63, 1)
@example(INT64.low, 63, 1)
def test_fit_of_a_64_bit_value_stays_within_64_bits(x: int, bits: int, wraps: int) -> None:
    track = Track()
    isa.fit(track(x), Bits(bits, wraps))
    assert Interval(track.low, track.high).within(INT64)


def test_inner_values_by_hand() -> None:
    assert TRANSFER["shift_round"](Interval(-5, 100), Interval(0, 4))[1] == (Interval(-5, 108),)
    assert TRANSFER["shift_away"](Interval(-200, 100), Interval(0, 4))[1] == (Interval(0, 208),)
    assert TRANSFER["shift_stochastic"](Interval(-5, 100), Interval(0, 4))[1] == (Interval(-5, 115),)
    assert TRANSFER["shift_zero"](INT32, Interval(1, 1))[1] == (Interval(0, 1 << 31),)
    assert TRANSFER["decay_to_zero"](INT32, DECAY)[1] == (Interval(0, 1 << 31), Interval(0, 4095 * 4096))


# ---- what a comparison says
OPERATORS: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("truth", [True, False])
def test_compare_keeps_exactly_the_hull_of_what_is_possible(op: type[ast.cmpop], truth: bool) -> None:
    intervals = [Interval(a, b) for a in range(-3, 4) for b in range(a, 4)]
    for value, bound in product(intervals, repeat=2):
        possible = [
            v
            for v in range(value.low, value.high + 1)
            if any(OPERATORS[op](v, b) == truth for b in range(bound.low, bound.high + 1))
        ]
        expected = (min(possible), max(possible)) if possible else None
        assert iv.compare(value, op, bound, truth) == expected, (value, bound)


@pytest.mark.parametrize("op", OPERATORS)
def test_mirrored_exchanges_the_sides(op: type[ast.cmpop]) -> None:
    other = OPERATORS[iv.mirrored(op)]
    assert all(OPERATORS[op](a, b) == other(b, a) for a, b in product(range(3), repeat=2))


# ---- intervals themselves
@given(ordered(INTEGERS), ordered(INTEGERS))
def test_hull_holds_both_and_within_says_so(a: Interval, b: Interval) -> None:
    hull = a.hull(b)
    assert a.within(hull)
    assert b.within(hull)
    assert hull.low in (a.low, b.low)
    assert hull.high in (a.high, b.high)
    assert a.within(b) == (b.hull(a) == b)


def test_interval_of_a_width_and_its_text() -> None:
    assert iv.of_bits(Bits(8, 0)) == (-128, 127)
    assert iv.of_bits(Bits(32, 1)) == INT32
    assert iv.of_bits(Bits(64, 0)) == INT64
    assert str(Interval(-3, 5)) == "-3..5"

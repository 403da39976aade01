"""The intrinsics against exact definitions that share no code with them, and the tables of the firmware language."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from fractions import Fraction
from statistics import mean

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neuroemu.chip.width import Bits
from neuroemu.language import isa
from neuroemu.language.interval import DOMAIN, TRANSFER
from neuroemu.language.isa import HOOKS, INTRINSICS, OPERATIONS, ROLES

NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-300, 300)
DISTANCES = st.integers(0, 62)
HALF = Fraction(1, 2)
U64 = 1 << 64


@given(NUMBERS, DISTANCES)
@example(-(1 << 63), 62)
@example(-1, 1)
def test_shifts_round_as_their_names_say(x: int, k: int) -> None:
    exact = Fraction(x, 2**k)
    assert isa.shift_left(x, k) == x * 2**k
    assert isa.shift_floor(x, k) == math.floor(exact)
    assert isa.shift_zero(x, k) == math.trunc(exact)
    assert isa.shift_round(x, k) == math.floor(exact + HALF)
    assert isa.shift_away(x, k) == (1 if x >= 0 else -1) * math.floor(abs(exact) + HALF)


@pytest.mark.parametrize(
    ("x", "k", "floor", "zero", "nearest", "away"),
    [(5, 1, 2, 2, 3, 3), (-5, 1, -3, -2, -2, -3), (-6, 2, -2, -1, -1, -2), (-7, 2, -2, -1, -2, -2), (7, 0, 7, 7, 7, 7)],
)
def test_shifts_by_hand(x: int, k: int, floor: int, zero: int, nearest: int, away: int) -> None:
    found = (isa.shift_floor(x, k), isa.shift_zero(x, k), isa.shift_round(x, k), isa.shift_away(x, k))
    assert found == (floor, zero, nearest, away)


@given(NUMBERS, st.integers(0, 4096))
@example((1 << 63) - 1, 1)
@example(-4096, 4095)
def test_decay_to_zero_is_the_product_rounded_towards_zero(x: int, decay: int) -> None:
    sign = (x > 0) - (x < 0)
    assert isa.decay_to_zero(x, decay) == sign * ((abs(x) * (4096 - decay)) >> 12)
    assert isa.decay_to_zero(x, decay) == math.trunc(Fraction(x * (4096 - decay), 4096))


def test_decay_to_zero_ends_of_its_range() -> None:
    assert isa.decay_to_zero(-12345, 0) == -12345
    assert isa.decay_to_zero(-12345, 4096) == 0
    assert isa.decay_to_zero(1, 1) == 0  # a leak never stalls above zero


@given(st.integers(-(1 << 80), 1 << 80), st.integers(1, 64))
@example(128, 8)
@example(-129, 8)
@example((1 << 63) - 1, 63)
def test_fit_wraps_modulo_its_bits_and_saturates_at_its_ends(x: int, bits: int) -> None:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    wrapped, saturated = isa.fit(x, Bits(bits, 1)), isa.fit(x, Bits(bits, 0))
    assert low <= wrapped <= high
    assert (wrapped - x) % 2**bits == 0
    assert saturated == sorted((low, x, high))[1]


@given(NUMBERS, NUMBERS, NUMBERS)
def test_clamp_is_the_middle_of_ordered_bounds_and_low_before_high_otherwise(x: int, low: int, high: int) -> None:
    if low <= high:
        assert isa.clamp(x, low, high) == sorted((low, x, high))[1]
    else:  # as the source says: the lower bound is looked at first
        assert isa.clamp(x, low, high) == (low if x < low else high)


@given(NUMBERS)
@example((1 << 63) - 1)
@example(1 << 32)
@example(0)
def test_leading_one_is_the_exponent_of_the_largest_power_of_two_below(x: int) -> None:
    n = isa.leading_one(x)
    if x <= 1:
        assert n == 0
    else:
        assert 2**n <= x < 2 ** (n + 1)


# ---- random numbers
def _unmixed(z: int) -> int:
    """The inverse of ``mix``, from the algebra of its steps."""
    z ^= z >> 33
    z = z * pow(0xC4CEB9FE1A85EC53, -1, U64) % U64
    z ^= z >> 33
    z = z * pow(0xFF51AFD7ED558CCD, -1, U64) % U64
    return z ^ (z >> 33)


@given(st.integers(0, U64 - 1))
def test_mix_is_a_permutation_of_64_bits(z: int) -> None:
    assert 0 <= isa.mix(z) < U64
    assert _unmixed(isa.mix(z)) == z


def test_mix_is_the_finaliser_of_murmurhash3() -> None:
    assert isa.mix(0) == 0
    assert isa.mix(1) == 0xB456BCFC34C2CB2C


def _keys(n: int) -> Iterator[int]:
    base = isa.site_key(isa.tick_key(7, 3, 11), 40)
    return (isa.unit_key(base, ident) for ident in range(n))


@given(st.integers(0, U64 - 1), st.integers(-5, 5), st.integers(0, 62))
def test_uniform_stays_in_range_and_is_a_pure_function(key: int, draw: int, bits: int) -> None:
    value = isa.uniform(key, draw, bits)
    assert 0 <= value < 2**bits
    assert value == isa.uniform(key, draw, bits)
    assert value == isa.uniform(key, draw, 62) >> (62 - bits)  # fewer bits are the first of more


def test_draws_of_neighbouring_keys_do_not_meet() -> None:
    values = {isa.uniform(1000 + key, draw, 62) for key in range(20) for draw in range(20)}
    assert len(values) == 400


@pytest.mark.parametrize("bits", [1, 8, 31, 62])
def test_uniform_has_the_mean_and_spread_of_the_uniform_distribution(bits: int) -> None:
    n, size = 4000, 2**bits
    values = [isa.uniform(key, 0, bits) for key in _keys(n)]
    spread = (size * size - 1) / 12
    assert abs(mean(values) - (size - 1) / 2) < 4 * math.sqrt(spread / n)
    assert mean((v - (size - 1) / 2) ** 2 for v in values) == pytest.approx(spread, rel=0.06)


def test_every_bit_of_uniform_is_set_half_the_time() -> None:
    n = 2000
    values = [isa.uniform(key, 0, 62) for key in _keys(n)]
    for bit in range(62):
        assert abs(sum(v >> bit & 1 for v in values) - n / 2) < 4.5 * math.sqrt(n / 4), bit


def _draw(seed: int, presentation: int, tick: int, site: int, ident: int, draw: int) -> int:
    return isa.uniform(isa.unit_key(isa.site_key(isa.tick_key(seed, presentation, tick), site), ident), draw, 62)


def test_every_part_of_a_key_makes_another_number() -> None:
    here = (5, 6, 7, 8, 9, 1)
    near = [tuple(v + step * (i == j) for j, v in enumerate(here)) for i in range(6) for step in (-1, 1)]
    swapped = [(6, 5, 7, 8, 9, 1), (5, 7, 6, 8, 9, 1), (5, 6, 8, 7, 9, 1), (5, 6, 7, 9, 8, 1)]
    values = [_draw(*place) for place in (here, *near, *swapped)]
    assert len(set(values)) == len(values)
    for value in values[1:]:
        assert 12 < (value ^ values[0]).bit_count() < 50  # about half of 62 bits differ


@given(NUMBERS, DISTANCES, st.integers(0, U64 - 1))
def test_shift_stochastic_is_one_of_the_two_neighbours(x: int, k: int, key: int) -> None:
    exact = Fraction(x, 2**k)
    value = isa.shift_stochastic(x, k, key, 0)
    assert math.floor(exact) <= value <= math.ceil(exact)  # and so exact, if nothing is lost


@pytest.mark.parametrize(("x", "k"), [(5, 3), (-5, 3), (1, 6), (-1000003, 12), (12345, 14), (63, 6), (1, 1)])
def test_shift_stochastic_has_the_exact_mean(x: int, k: int) -> None:
    n = 4000
    total = sum(isa.shift_stochastic(x, k, key, 2) for key in _keys(n))
    chance = float(Fraction(x, 2**k) % 1)
    assert 0 < chance < 1
    assert abs(total - n * x / 2**k) < 4 * math.sqrt(n * chance * (1 - chance))


# ---- tables of the language
def test_every_function_a_program_may_call_is_priced_and_bounded() -> None:
    callable_ = {*INTRINSICS, "min", "max", "abs"}
    assert set(OPERATIONS) == callable_
    assert set(TRANSFER) == callable_ - {"fit"}
    assert set(DOMAIN) <= callable_
    assert {kind for counts in OPERATIONS.values() for kind in counts} == set(isa.OPERATION_CLASSES)


def test_hooks_write_what_they_read_and_nothing_of_another_level() -> None:
    kinds = {role.kind for role in ROLES.values()}
    for hook in HOOKS.values():
        assert set(hook.writes) <= set(hook.reads) <= kinds, hook.name
    assert [h.name for h in HOOKS.values() if "weight" in h.writes and h.end_of != "commit"] == [
        "arrive_synapse", "fire_synapse", "tick_synapse",
    ]  # fmt: skip
    assert [h.name for h in HOOKS.values() if "post" in h.writes] == ["arrive_synapse"]


def test_hooks_stand_in_order_of_execution() -> None:
    assert list(HOOKS) == [
        "tick_pre", "arrive", "arrive_synapse", "modulate", "soma", "settle", "tick_post", "fire_synapse", "fire_pre",
        "tick_synapse", "end", "end_synapse", "commit", "commit_synapse",
    ]  # fmt: skip


def test_a_role_with_limits_is_the_role() -> None:
    assert isa.State(16, init=3) is isa.State
    assert isa.Table(256, -1, 1) is isa.Table


def test_channels_are_numbered_once() -> None:
    assert list(isa.CHANNELS.values()) == [isa.SPIKE, isa.ERROR, isa.PROBE, isa.INHIBIT, isa.INPUT, isa.TARGET]
    assert set(isa.NEURON_CHANNELS) == set(isa.CHANNELS) - {"input", "target"}


def test_source_of_an_intrinsic_is_its_text_without_decorator() -> None:
    text = isa.source_of(isa.shift_floor)
    assert text.startswith("def shift_floor(")
    assert [type(node) for node in ast.parse(text).body] == [ast.FunctionDef]

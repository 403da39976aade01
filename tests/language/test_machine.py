"""The machine's own integer behaviour: draw sites, dendrite, winner unit; in Python and compiled."""

from __future__ import annotations

import random

import numpy as np
from compiled import compiled
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.chip.aer import CHANNELS
from neuroemu.chip.width import Bits
from neuroemu.language.isa import HOOKS
from neuroemu.language.machine import COMMIT_TICK, beats, dendrite, site, winner
from neuroemu.language.program import CALLEE, plain_source

COMPILED = compiled(
    *(f"{CALLEE}\n{plain_source(function)}" for function in (dendrite, beats, winner)),
    "@njit\ndef dendrites(totals, shift, bits, wraps, out):\n"
    "    for n in range(totals.size):\n        out[n] = dendrite(totals[n], shift, (bits, wraps))",
    "@njit\ndef won(flags, scores, groups, low, high, group):\n    return winner(flags, scores, groups, low, high, group)",
)


def test_every_hook_and_channel_draws_at_a_site_of_its_own() -> None:
    sites = [site(hook) for hook in HOOKS]
    channels = [site("arrive_synapse", channel) for channel in CHANNELS]
    assert len(set(sites)) == len(HOOKS)
    assert len(set(channels)) == len(CHANNELS)
    assert set(channels) & set(sites) == {site("arrive_synapse")}  # spikes draw where the hook without a channel would
    assert site("arrive_synapse", "target") == site("arrive_synapse") + 5


def test_no_tick_of_a_run_is_the_tick_of_a_commit() -> None:
    assert COMMIT_TICK == 2**64 - 1


@given(st.integers(-(1 << 50), 1 << 50), st.integers(0, 12), st.integers(2, 48), st.integers(0, 1))
def test_dendrite_shifts_the_exact_sum_and_narrows_once(total: int, shift: int, bits: int, wraps: int) -> None:
    value, scaled = dendrite(total, shift, Bits(bits, wraps)), total * 2**shift
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    assert low <= value <= high
    if wraps:
        assert (value - scaled) % 2**bits == 0
    else:
        assert value == min(max(scaled, low), high)


def test_narrowing_once_is_not_narrowing_each_addend() -> None:
    assert dendrite(100 + 100 - 120, 0, Bits(8, 0)) == 80
    assert dendrite(3, 6, Bits(8, 0)) == 127
    assert dendrite(3, 6, Bits(8, 1)) == 192 - 256


def test_compiled_dendrite_gives_the_integers_of_python() -> None:
    rng = random.Random(5)
    for width in (Bits(22, 1), Bits(32, 0), Bits(8, 0), Bits(2, 1)):
        totals = [rng.randint(-(1 << n), 1 << n) for n in range(1, 50) for _ in range(4)]
        out = np.zeros(len(totals), np.int64)
        COMPILED["dendrites"](np.array(totals), 6, *width, out)
        assert out.tolist() == [dendrite(total, 6, width) for total in totals]
        assert out.tolist() != [total << 6 for total in totals]


NEURONS = st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 2)), min_size=1, max_size=12)


@given(NEURONS, st.data())
def test_winner_is_the_flagged_neuron_with_the_largest_score_then_the_lowest_id(
    neurons: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    flags, scores, groups = zip(*neurons, strict=True)
    low = data.draw(st.integers(0, len(neurons)))
    high = data.draw(st.integers(low, len(neurons)))
    for group in range(3):
        rivals = [(-scores[i], i) for i in range(low, high) if flags[i] and groups[i] == group]
        assert winner(flags, scores, groups, low, high, group) == (min(rivals)[1] if rivals else -1)


def test_compiled_winner_gives_the_integers_of_python() -> None:
    rng, seen = random.Random(9), set()
    for _ in range(300):
        n = rng.randint(1, 9)
        flags, scores, groups = ([rng.randint(0, most) for _ in range(n)] for most in (1, 3, 1))
        low = rng.randint(0, n - 1)
        found = COMPILED["won"](np.array(flags), np.array(scores), np.array(groups), low, n, 1)
        assert found == winner(flags, scores, groups, low, n, 1)
        seen.add(found)
    assert seen >= {-1, 0, 3, 8}

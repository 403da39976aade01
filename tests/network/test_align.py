"""A layered network stays in step: each hop costs a tick, a path that skips layers waits for the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neuroemu as ne
from neuroemu.network.align import align

SOMA = ne.IF(1.0)
HOST = ne.HostInput()


def chain(*edges: str, names: str = "iabc", outputs: str = "c") -> ne.Network:
    """Populations of one neuron, named by letters; 'i' is the host. An edge 'ab' goes from a to b."""
    return ne.Network(
        [ne.Population(name, 1, HOST if name == "i" else SOMA) for name in names],
        [ne.Projection(pre, post, [[1.0]], pre + post) for pre, post in edges],
        outputs=list(outputs),
    )


def test_skips_are_delayed_by_what_they_skip() -> None:
    got = align(chain("ia", "ab", "bc", "ic", "ac"), True)
    assert got.age == {"i": 0, "a": 1, "b": 2, "c": 3}
    assert got.extra == {"ia": 0, "ab": 0, "bc": 0, "ic": 2, "ac": 1}
    assert got.lag == 3
    assert got.notes == (
        "projection 'ic' skips 2 populations and is delayed by 2 ticks to stay in step",
        "projection 'ac' skips 1 populations and is delayed by 1 ticks to stay in step",
    )


def test_nothing_is_delayed_when_not_asked_for() -> None:
    got = align(chain("ia", "ab", "bc", "ic"), False)
    assert set(got.extra.values()) == {0}
    assert got.notes == ()
    assert got.lag == 3  # how late the output is all the same


def test_loops_take_their_hops() -> None:
    got = align(chain("ia", "ab", "bc", "ca", "bb"), True)
    assert got.age == {"i": 0, "a": 1, "b": 2, "c": 3}
    assert set(got.extra.values()) == {0}
    assert got.notes == (
        "loop through projection 'ca' takes 3 ticks on the chip, 1 in the frameworks: each population on the way costs a hop",
    )


def test_a_loop_of_one_hop_is_as_in_the_frameworks_and_one_of_two_is_not() -> None:
    assert align(chain("ia", "ab", "aa", names="iab", outputs="b"), True).notes == ()
    assert align(chain("ia", "ab", "ba", names="iab", outputs="b"), True).notes == (
        "loop through projection 'ba' takes 2 ticks on the chip, 1 in the frameworks: each population on the way costs a hop",
    )


def test_the_lag_is_that_of_the_oldest_output() -> None:
    assert align(chain("ia", "ab", "bc", outputs="a"), True).lag == 1
    assert align(chain("ia", "ab", "bc", outputs="ab"), True).lag == 2
    assert align(chain("ia", "ab", "bc", outputs=""), True).lag == 3
    assert align(chain("ab", names="ab", outputs=""), True).lag == 1  # no host: declared first is where it starts


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), lists=st.booleans())
def test_a_balanced_network_spikes_as_in_float(seed: int, lists: bool) -> None:
    """Dyadic weights, skips and a loop of one hop: what the chip sends in tick t + age is what float says of row t."""
    rng = np.random.default_rng(seed)
    sizes = {"i": 5, "a": 4, "b": 3, "c": 4}

    def projection(pre: str, post: str) -> ne.Projection:
        weight = rng.integers(-6, 12, (sizes[pre], sizes[post])) / 8
        weight[rng.random(weight.shape) < 0.3] = 0
        delay = rng.integers(0, 3, weight.shape)
        if not lists:
            return ne.Projection(pre, post, weight, delay=delay)
        rows, columns = np.nonzero(weight)
        return ne.Projection(pre, post, ne.Sparse(rows, columns, weight[rows, columns], delay[rows, columns]))

    net = ne.Network(
        [ne.Population(name, n, HOST if name == "i" else SOMA) for name, n in sizes.items()],
        [projection(*edge) for edge in ("ia", "ab", "bc", "ic", "ac", "bb")],
        outputs=["c"],
        conventions=ne.Conventions(gain="unit"),
    )
    inputs = (rng.random((12, 2, 5)) < 0.5).astype(int)
    float_ = ne.simulate(net, inputs)
    assume(float_.spikes["c"].any())
    image = ne.compile(net, ne.load_chip("generic45"))
    assert all(loss.weight_max == loss.threshold == 0 for loss in image.losses)
    chip = ne.run(image, inputs, engine="python").spikes
    for population in image.populations[1:]:
        seen = np.zeros((2, 12 + image.lag, population.n), bool)
        mine = (chip.neuron >= population.id0) & (chip.neuron < population.id0 + population.n)
        seen[chip.presentation[mine], chip.tick[mine] - population.age, chip.neuron[mine] - population.id0] = True
        assert np.array_equal(seen[:, :12], float_.spikes[population.name])


@pytest.mark.parametrize("aligned", [True, False])
def test_an_image_delays_what_align_says(aligned: bool) -> None:
    image = ne.compile(chain("ia", "ab", "bc", "ic"), ne.load_chip("generic45"), align=aligned)
    assert [part.delay for p in image.projections for part in p.parts] == [0, 0, 0, 2 * aligned]
    assert [p.enable for p in image.populations] == ([0, 1, 2, 3] if aligned else [0, 0, 0, 0])
    assert len(image.notes) == aligned

"""What rounding silences is said; what cannot matter does not set the scale; nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fails import fails
from hypothesis import given
from hypothesis import strategies as st

import neuroemu as ne
from neuroemu.compiler.scale import Scaling
from neuroemu.network.discrete import discretize

LOIHI, GENERIC = ne.load_chip("loihi1"), ne.load_chip("generic45")
DT = 1e-4


def network(neuron: Any, weight: Any, **conventions: Any) -> ne.Network:
    weight = np.asarray(weight, float)
    return ne.Network(
        [ne.Population("in", weight.shape[0], ne.HostInput()), ne.Population("l", weight.shape[1], neuron)],
        [ne.Projection("in", "l", weight, "p")],
        outputs=["l"],
        conventions=ne.Conventions(gain="unit", **conventions),
    )


def spikes(net: ne.Network, chip: ne.Chip, inputs: np.ndarray, **options: Any) -> tuple[list[int], list[int], ne.Image]:
    """Spikes of every neuron in float and on the chip."""
    exact = ne.simulate(net, inputs).spikes["l"].sum((0, 1))
    image = ne.compile(net, chip, **options)
    return exact.tolist(), ne.run(image, inputs, engine="python").spike_counts("l").sum(0).tolist(), image


INPUTS = (np.random.default_rng(0).random((60, 3, 2)) < 0.4).astype(int)


def test_a_threshold_no_input_reaches_does_not_silence_its_layer() -> None:
    net = network(ne.LIF(tau=1e-3, v_threshold=[1e5, 1.0]), np.array([[0.6, 0.4], [-0.9, 0.5]]))
    exact, got, image = spikes(net, LOIHI, INPUTS)
    assert exact[0] == 0 < exact[1]
    assert got == exact
    assert image.notes == ("population 'l': the threshold of neuron 0 was clipped: no input reaches it",)
    assert image.losses[0].zeroed == 0


def test_a_weight_that_fires_its_neuron_alone_does_not_silence_its_layer() -> None:
    net = network(ne.LIF(tau=1e-3), np.array([[400.0, 0.4], [0.3, 0.5]]))
    exact, got, image = spikes(net, LOIHI, INPUTS)
    assert min(exact) > 0
    assert got == exact
    assert image.notes == ("population 'l': 1 of its weights were clipped: each fires its neuron whatever else comes",)


def test_a_weight_whose_size_is_remembered_is_kept_and_what_it_silences_is_said() -> None:
    net = network(ne.LIF(tau=1e-3), np.array([[400.0, 0.4], [0.3, 0.5]]), reset="subtract")
    _, got, image = spikes(net, GENERIC, INPUTS, weight_bits=8)
    assert got[1] == 0
    assert image.notes[0] == (
        "3 of 4 weights into 'l' became 0, among them all into neuron 1: no input makes them spike; give the weights more bits, or these "
        "neurons a population of their own"
    )
    assert image.losses[0].weight_max == 1


def test_a_leak_that_becomes_nothing_is_said() -> None:
    net = network(ne.LIF(tau=[1.0, 1e-3]), np.array([[0.6, 0.4]]))
    image = ne.compile(net, LOIHI)
    text = (
        "population 'l': decay_v of neuron 0 became 0 (0.0001 a tick): nothing leaks away; use a larger dt, or a chip with finer "
        "decays"
    )
    assert image.notes == (text,)
    assert image.losses[0].decay == 1


def test_a_threshold_that_becomes_nothing_is_said() -> None:
    net = network(ne.IF(v_threshold=[1e-6, 1.0]), np.array([[0.5, 0.5]]), reset="subtract")
    image = ne.compile(net, GENERIC, weight_bits=4)
    assert image.notes == (
        "population 'l': the threshold of neuron 0 became 0; give the weights more bits, or these neurons a population of their own",
    )


@given(st.integers(0, 1000))
def test_where_nothing_is_silenced_the_scale_is_that_of_the_plain_search(seed: int) -> None:
    """A second road: the same network with a reset by subtraction, for which no weight is ever clipped."""
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.2, 1.0, (4, 3)) * rng.choice([-1, 1], (4, 3))
    scales = [
        ne.compile(network(ne.LIF(tau=1e-3), weight, reset=reset), GENERIC, weight_bits=9).losses[0].scale
        for reset in ("zero", "subtract")
    ]
    assert scales[0] == scales[1] > 0


@given(st.integers(0, 10**6))
def test_clipping_changes_no_spike(seed: int) -> None:
    """Simulated in float as they are and as they are clipped, networks with one huge weight and one huge threshold spike alike."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(0.2, 0.4, (6, 4))
    weight[rng.integers(0, 6), rng.choice([0, 1, 3])] = 10 ** rng.uniform(3, 6)
    threshold = np.array([1.0, 0.7, 10 ** rng.uniform(6.5, 8), 1.2])
    net = network(ne.LIF(tau=5e-4, v_threshold=threshold), weight)
    population, model = net.population("l"), discretize(net.population("l"), net)
    scaling = Scaling(LOIHI, 1, model, net.conventions)
    pre, post = (a.ravel() for a in np.indices(weight.shape))
    clipped = scaling.clipped(population, {"p": (post, weight.ravel())}, bounded=True)
    assert clipped is not None
    assert len(clipped.notes) == 2
    assert clipped.model.threshold is not None
    again = np.zeros_like(weight)
    again[pre, post] = clipped.effective["p"]
    assert np.abs(again).max() < 10
    assert clipped.model.threshold.max() < threshold.max()
    inputs = (rng.random((60, 3, 6)) < 0.3).astype(int)
    exact = ne.simulate(net, inputs).spikes["l"]
    assert exact.sum() > 20
    cut = network(ne.LIF(tau=5e-4, v_threshold=clipped.model.threshold), again)
    assert np.array_equal(ne.simulate(cut, inputs).spikes["l"], exact)


def test_weight_bits_by_population() -> None:
    weight = np.linspace(-1, 1, 12).reshape(4, 3)
    net = network(ne.LIF(tau=1e-3), weight).add(
        ne.Population("out", 3, ne.LIF(tau=1e-3)), ne.Projection("l", "out", np.linspace(-1, 1, 9).reshape(3, 3), "q")
    )
    image = ne.compile(net, LOIHI, weight_bits={"*": 8, "out": 4})
    stored = {p.name: np.concatenate([part.weight for part in p.parts]) for p in image.projections}
    assert {int(w) % 2 for w in stored["p"]} == {0}
    assert {int(w) % 32 for w in stored["q"]} == {0}
    with fails(ne.UnknownNameError, "no population named 'o'; there are: in, l, out"):
        ne.compile(net, LOIHI, weight_bits={"o": 4})


@pytest.mark.parametrize("n", [1, 3, 7])
def test_notes_name_a_few_neurons(n: int) -> None:
    weight = np.full((1, n + 1), 1e-4)
    weight[0, 0] = 1.0
    note = ne.compile(network(ne.LIF(tau=1e-3), weight, reset="subtract"), GENERIC, weight_bits=4).notes[0]
    named = {1: "neuron 1:", 3: "neurons 1, 2, 3:", 7: "neurons 1, 2, 3, 4, 5 and 2 more:"}[n]
    assert named in note

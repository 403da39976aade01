"""BATS against finite differences of a whole network's loss, and its forms against the thesis's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from golden_cases import HORIZON, TAU, random_spikes

from neuroemu.base.arrays import Floats
from neuroemu.learning.golden import bats
from neuroemu.learning.golden.closed_form import FloatNeuron, Response, SpikeTimes, respond, spikes_of

SIZES = (7, 6, 5, 3)
STEEP = {1: (22, 6, 1), 5: (4, 9)}
"""Seeds by spikes a neuron whose crossings are all steep: near a critical point finite differences have errors of their own."""


def network(max_spikes: int, seed: int) -> tuple[list[Floats], list[FloatNeuron], SpikeTimes]:
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(-0.5, 2, shape) for shape in pairwise(SIZES)]
    return weights, [FloatNeuron(TAU, 0.5, max_spikes)] * 3, random_spikes(rng, SIZES[0], 1 if max_spikes == 1 else 2)


def slopes(weights: list[Floats], loss: Callable[[list[Floats]], float], step: float) -> list[Floats]:
    """Central differences of the loss in every weight."""
    found = [np.zeros(weight.shape) for weight in weights]
    for layer, weight in enumerate(weights):
        for at in np.ndindex(weight.shape):
            ends = []
            for sign in (1, -1):
                moved = [w.copy() for w in weights]
                moved[layer][at] += sign * step
                ends.append(loss(moved))
            found[layer][at] = (ends[0] - ends[1]) / (2 * step)
    return found


def relative_error(found: list[Floats], wanted: list[Floats]) -> float:
    scale = max(float(np.abs(w).max()) for w in wanted)
    return max(float(np.abs(f - w).max()) for f, w in zip(found, wanted, strict=True)) / scale


@pytest.mark.parametrize("seed", STEEP[1])
def test_ttfs_loss_of_a_whole_network(seed: int) -> None:
    weights, neurons, spikes = network(1, seed)
    layers = bats.forward(weights, neurons, spikes, HORIZON)
    _, error = bats.ttfs_loss(layers[-1], 1, 0.01)
    found = bats.backward(weights, neurons, spikes, layers, error)

    def loss(moved: list[Floats]) -> float:
        return bats.ttfs_loss(bats.forward(moved, neurons, spikes, HORIZON)[-1], 1, 0.01)[0]

    assert all(np.abs(gradient).max() > 0 for gradient in found)
    assert min(layer.current.min() for layer in layers) > 2 * 0.5
    assert relative_error(found, slopes(weights, loss, 1e-6)) < 1e-5


@pytest.mark.parametrize("seed", STEEP[5])
def test_count_error_of_a_whole_network_with_many_spikes(seed: int) -> None:
    """The count loss has steps; its errors stand for dL / dt, so what must match is sum (target - n) t with n held."""
    weights, neurons, spikes = network(5, seed)
    layers = bats.forward(weights, neurons, spikes, HORIZON)
    target = np.array([15.0, 3, 1])
    _, error = bats.count_loss(layers[-1], target)
    found = bats.backward(weights, neurons, spikes, layers, error)
    assert sum(layer.counts.sum() for layer in layers) > 60
    assert min(layer.current.min() for layer in layers) > 2 * 0.5

    def loss(moved: list[Floats]) -> float:
        again = bats.forward(moved, neurons, spikes, HORIZON)
        for one, other in zip(again, layers, strict=True):
            assert one.counts.tolist() == other.counts.tolist(), "no spike appears or goes"
        return float((target - layers[-1].counts)[again[-1].spikes.source] @ again[-1].spikes.time)

    assert relative_error(found, slopes(weights, loss, 1e-7)) < 1e-5
    same, counts = bats.gradient(weights, neurons, spikes, HORIZON, target)
    assert all(np.array_equal(a, b) for a, b in zip(same, found, strict=True))
    assert counts.tolist() == layers[-1].counts.tolist()


def test_losses() -> None:
    spikes = spikes_of(np.array([0.01, 0.02, 0.03]), np.array([0, 1, 0]))
    output = Response(3, spikes, np.ones(3), np.array([0, 0, 1]), np.zeros(3))
    value, error = bats.count_loss(output, np.array([3.0, 3.0, 15.0]))
    assert value == 0.5 * (1 + 4 + 225)
    assert error.tolist() == [1, 2, 1], "too few spikes: positive, so that descending makes them earlier"
    value, slope = bats.ttfs_loss(output, 0, 0.005)
    assert value == pytest.approx(np.log(1 + np.exp(-2)))
    assert slope == pytest.approx(np.array([1, -1, 0]) * np.exp(-2) / (1 + np.exp(-2)) / 0.005)
    assert bats.first_times(output).tolist() == [0.01, 0.02, np.inf]


def test_both_factors_of_the_thesis_are_one_in_local_coordinates() -> None:
    """f1 = (tau / a)(1 + c E / x) and f2 = tau / x, in exp(+t) coordinates (equations 73, 74, 80, 81)."""
    rng = np.random.default_rng(2)
    neuron = FloatNeuron(TAU, 0.4)
    response = respond(random_spikes(rng, 20), rng.uniform(-0.5, 1, (20, 6)), neuron, HORIZON)
    grown = np.exp(response.spikes.time / TAU)
    a, b = response.current * grown**2, (response.current + 0.4) * grown
    x = np.sqrt(b * b - 4 * a * 0.4)
    slope = TAU / (response.current - 0.4)
    assert len(slope) > 10
    np.testing.assert_allclose(TAU / a * (1 + 0.4 * grown / x), slope / grown**2, rtol=1e-6)
    np.testing.assert_allclose(TAU / x, slope / grown, rtol=1e-6)


def test_descending_brings_the_counts_to_their_targets() -> None:
    weights, neurons, spikes = network(5, 4)
    neurons, target, losses = [FloatNeuron(TAU, 0.5)] * 3, np.array([12.0, 6.0, 2.0]), []
    for _ in range(40):
        layers = bats.forward(weights, neurons, spikes, HORIZON)
        value, error = bats.count_loss(layers[-1], target)
        gradients = bats.backward(weights, neurons, spikes, layers, error)
        weights = [weight - 0.02 * gradient for weight, gradient in zip(weights, gradients, strict=True)]
        losses.append(value)
    assert losses[0] > 20
    assert min(losses[-5:]) < losses[0] / 10


def test_trap_error_of_the_count_is_not_that_of_the_time() -> None:
    """dL / dn is n - target; put in the place of dL / dt it drives the counts away from their targets."""
    weights, neurons, spikes = network(5, 4)
    neurons, target, losses = [FloatNeuron(TAU, 0.5)] * 3, np.array([12.0, 6.0, 2.0]), []
    for _ in range(8):
        layers = bats.forward(weights, neurons, spikes, HORIZON)
        value, error = bats.count_loss(layers[-1], target)
        gradients = bats.backward(weights, neurons, spikes, layers, -error)
        weights = [weight - 0.02 * gradient for weight, gradient in zip(weights, gradients, strict=True)]
        losses.append(value)
    assert losses[-1] > 1.2 * losses[0]

"""The tick twin: against the soma's program in integers, against the closed form with fine ticks, and its own definition."""

from __future__ import annotations

import numpy as np
import pytest
from golden_cases import TAU, random_spikes

from neuroemu.language.isa import shift_floor, shift_left
from neuroemu.learning.golden import closed_form, gradients, sfdfa, twin

SCALE, FRACTION, K = 6, 6, 8
LSB = 2.0 ** -(SCALE + FRACTION)
NEURON = twin.TickNeuron(K, 0.5)


def raster(seed: int, n_ticks: int = 200, n_pre: int = 20, n: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Arrivals (n_ticks, n_pre) and weights of 6 fraction bits."""
    rng = np.random.default_rng(seed)
    arrivals = np.zeros((n_ticks, n_pre))
    arrivals[rng.integers(0, 100, n_pre), np.arange(n_pre)] = 1.0
    return arrivals, np.round(rng.uniform(-1, 1.3, (n_pre, n)) * 2**FRACTION) / 2**FRACTION


def integer_soma(arrivals: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """fired, m, g of firmware/neurons/sfdfa.py, tick by tick, in its own integers."""
    drive = (arrivals @ weight * 2**FRACTION).astype(np.int64)
    fired, ms, gs = (np.zeros(drive.shape, np.int64) for _ in range(3))
    threshold = int(NEURON.threshold / LSB)
    for i in range(drive.shape[1]):
        m = g = 0
        for tick in range(len(drive)):
            m = m - shift_floor(m, K) + shift_left(int(drive[tick, i]), SCALE)
            g = g - shift_floor(g, K - 1) + shift_left(int(drive[tick, i]), SCALE)
            fired[tick, i] = m - g >= threshold
            m -= threshold * int(fired[tick, i])
            ms[tick, i], gs[tick, i] = m, g
    return fired > 0, ms, gs


@pytest.mark.parametrize("seed", range(3))
def test_follows_the_integer_soma_to_its_rounding(seed: int) -> None:
    """A floor of every decay adds at most an LSB a tick, which itself decays: under 2^k (m) and 2^(k-1) (g) of them."""
    arrivals, weight = raster(seed)
    fired, m, g = integer_soma(arrivals, weight)
    same = twin.respond(arrivals, 0 * arrivals, weight, NEURON, np.zeros(15), forced=fired)
    assert fired.sum() > 15
    rounded = [np.abs(m * LSB - same.m).max() / LSB, np.abs(g * LSB - same.g).max() / LSB]
    assert 0 < rounded[0] < 2**K
    assert 0 < rounded[1] < 2 ** (K - 1)
    free = twin.respond(arrivals, 0 * arrivals, weight, NEURON, np.zeros(15))
    assert np.abs(free.fired.sum(0) - fired.sum(0)).max() <= 1
    # the local gradient from the program's own current differs from the twin's by the rounding of the current alone
    own = twin.local_eligibility(arrivals, fired, g * LSB, NEURON)
    np.testing.assert_allclose(own, same.eligibility, rtol=2**K * LSB / NEURON.threshold)
    assert same.eligibility.max() > 0.1


def test_approaches_the_closed_form_as_ticks_shrink() -> None:
    rng = np.random.default_rng(4)
    spikes, weight, noise = random_spikes(rng, 20), rng.uniform(-1, 1.3, (20, 10)), rng.choice([-1.0, 1.0], 10)
    exact = closed_form.respond(spikes, weight, closed_form.FloatNeuron(TAU, 0.5), 0.2, noise)
    local = gradients.eligibility(spikes, 20, exact, closed_form.FloatNeuron(TAU, 0.5))
    virtual = gradients.virtual_eligibility(spikes, 20, 0.2, closed_form.FloatNeuron(TAU, 0.5))
    far = []
    for k in (9, 12):
        tick = TAU / 2**k
        arrivals, grades = (np.zeros((int(0.2 / tick), 20)) for _ in range(2))
        when = np.ceil(spikes.time / tick).astype(int)
        arrivals[when, spikes.source], grades[when, spikes.source] = 1.0, spikes.grade
        neuron = twin.TickNeuron(k, 0.5)
        response = twin.respond(arrivals, grades, weight, neuron, noise, recurrent=True)
        activity = response.activity(neuron)
        assert activity.counts.tolist() == exact.counts.tolist()
        far.append(np.abs(activity.eligibility - local).max() / local.max())
    assert exact.counts.sum() > 10
    assert far[1] < far[0] / 3
    assert far[1] < 1e-2
    np.testing.assert_allclose(activity.grades, exact.grades, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(response.residue, exact.residue, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(activity.virtual, virtual, rtol=2e-2, atol=1e-3)


def test_decays_keep_tau_twice_tau_s() -> None:
    assert (1 - 2.0**-K) ** 2 - (1 - 2.0 ** (1 - K)) == 2.0 ** (-2 * K)


def test_current_below_the_threshold_counts_as_the_threshold() -> None:
    currents = np.array([-1.0, 0.3, 0.5, 0.7, 1.0, 3.0])
    assert NEURON.reciprocal(currents) == pytest.approx([2, 2, 2, 1 / 0.7, 1, 1 / 3])
    halves = twin.TickNeuron(K, 0.5, power_of_two=True).reciprocal(currents)
    assert halves.tolist() == [2, 2, 2, 2, 1, 0.5]


def test_recurrence_multiplies_the_trace_by_at_most_two() -> None:
    arrivals, weight = raster(7)
    plain = twin.respond(arrivals, 0 * arrivals, weight, NEURON, np.zeros(15))
    deep = twin.respond(arrivals, 0 * arrivals, weight, NEURON, np.zeros(15), recurrent=True)
    once = plain.fired.sum(0) == 1
    assert once.any()
    np.testing.assert_allclose(deep.eligibility[:, once], plain.eligibility[:, once])
    more = plain.fired.sum(0) > 2
    assert np.all(deep.eligibility[:, more].sum(0) > plain.eligibility[:, more].sum(0))


def test_a_sample_of_the_twin_teaches_like_one_of_the_closed_form() -> None:
    """The same network and sample, in ticks of a millisecond and in continuous time: nearly the same update."""
    rng = np.random.default_rng(0)
    learner = sfdfa.start((20, 30, 4), rule := sfdfa.Rule(recurrent=False), rng)
    learner.weights[1][:] += 0.8
    spikes = random_spikes(rng, 20)
    spikes = closed_form.spikes_of(spikes.time, spikes.source)
    tick = TAU / 2**K
    arrivals = np.zeros((int(0.2 / tick), 20))
    arrivals[np.ceil(spikes.time / tick).astype(int), spikes.source] = 1.0
    noise, target = sfdfa.perturb(learner, rng), np.array([15.0, 3, 3, 3])
    first = twin.respond(arrivals, 0 * arrivals, learner.weights[0], NEURON, noise[0])
    second = twin.respond(first.fired.astype(float), first.grade, learner.weights[1], NEURON, noise[1])
    ticked = [first.activity(NEURON), second.activity(NEURON)]
    exact = sfdfa.observe(learner, rule, [closed_form.FloatNeuron(TAU, 0.5)] * 2, spikes, 0.2, noise)
    moved = []
    for activities in (ticked, exact):
        assert activities[1].counts.sum() > 10
        after = sfdfa.update(learner, rule, activities, noise, target)
        moved.append(np.concatenate([(a - b).ravel() for a, b in zip(after.weights, learner.weights, strict=True)]))
    assert moved[0] @ moved[1] / np.linalg.norm(moved[0]) / np.linalg.norm(moved[1]) > 0.98

"""The update of a network by SFDFA and DFA: each of its parts against hand work, and learning itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden_cases import HORIZON, TAU, random_spikes

from neuroemu.base.arrays import Floats
from neuroemu.learning.golden import bats, sfdfa
from neuroemu.learning.golden.closed_form import FloatNeuron, SpikeTimes, spikes_of

NEURONS = [FloatNeuron(TAU, 0.4), FloatNeuron(TAU, 0.5)]
TARGET = np.array([15.0, 3.0, 3.0])


def observed(
    seed: int, rule: sfdfa.Rule, n_hidden: int = 20
) -> tuple[sfdfa.Learner, list[sfdfa.Activity], list[Floats]]:
    rng = np.random.default_rng(seed)
    learner = sfdfa.start((20, n_hidden, 3), rule, rng)
    inputs = random_spikes(rng, 20)
    spikes = spikes_of(inputs.time, inputs.source)
    noise = sfdfa.perturb(learner, rng)
    return learner, sfdfa.observe(learner, rule, NEURONS, spikes, HORIZON, noise), noise


def test_one_update_by_hand() -> None:
    rule = sfdfa.Rule(rates=(0.1, 0.2), alpha=0.25, beta=2.0, wanted=1.0, smoothing=0.5)
    learner = sfdfa.Learner([np.zeros((2, 2)), np.zeros((2, 2))], [np.array([[1.0, 2.0], [3.0, 4.0]])], [np.zeros(2)])
    hidden = sfdfa.Activity(np.array([4, 0]), np.array([[1.0, 0.0], [2.0, 0.0]]), np.zeros(2), np.ones(2))
    output = sfdfa.Activity(
        np.array([1, 0]), np.array([[0.5, 0.0], [0.0, 0.0]]), np.array([8.0, -8.0]), np.array([3.0, 5.0])
    )
    after = sfdfa.update(learner, rule, [hidden, output], [np.array([-1.0, 1.0]), np.zeros(2)], np.array([3.0, 3.0]))
    # outputs: delta 2 and 3; hidden neuron 0: 1 x 2 + 3 x 3 + 2 (1 - 2) = 9; the second output never spiked: rescued
    np.testing.assert_allclose(after.weights[0], [[0.1 * 9 * 1, 0], [0.1 * 9 * 2, 0]])
    np.testing.assert_allclose(after.weights[1], [[0.2 * 2 * 0.5, 0.2 * 3 * 3], [0, 0.2 * 3 * 5]])
    np.testing.assert_allclose(after.feedback[0], [[1 + 0.25 * (-8 - 1), 2], [3 + 0.25 * (8 - 3), 4]])
    assert after.means[0].tolist() == [2.0, 0.0]
    frozen = sfdfa.update(
        learner, replace(rule, learns_feedback=False), [hidden, output], [np.ones(2), np.zeros(2)], np.array([3.0, 3.0])
    )
    assert np.array_equal(frozen.feedback[0], learner.feedback[0]), "DFA"
    np.testing.assert_allclose(frozen.weights[0], after.weights[0])


def test_dead_output_is_rescued_only_if_it_should_spike_and_hidden_neurons_never() -> None:
    rule = sfdfa.Rule()
    silent = [sfdfa.Activity(np.zeros(2, np.int64), np.zeros((2, 2)), np.zeros(2), np.ones(2)) for _ in range(2)]
    moves = sfdfa.directions(rule, silent, [np.ones(2), np.array([3.0, -1.0])])
    assert moves[1].tolist() == [[3, 0], [3, 0]]
    assert not moves[0].any()
    assert not sfdfa.directions(replace(rule, rescue=False), silent, [np.ones(2), np.ones(2)])[1].any()


def test_only_the_first_spike_carries_the_perturbation() -> None:
    rule = sfdfa.Rule()
    learner, activities, noise = observed(0, rule)
    fired = activities[0].counts > 0
    assert activities[0].counts.max() > 1
    assert 0 < fired.sum() < len(fired)
    np.testing.assert_array_equal(activities[0].grades, np.where(fired, noise[0], 0.0))
    after = sfdfa.learn_feedback(learner, rule, activities, noise)
    moved = after[0] != learner.feedback[0]
    assert moved[:, fired].any()
    assert not moved[:, ~fired].any()


def test_expected_grade_times_perturbation_is_the_weight() -> None:
    """E[d_o p_i] = w_io if every hidden first spike comes before an output's last (equation 147): exactly, and as a mean."""
    rng = np.random.default_rng(0)
    n_hidden, n_draws = 12, 200
    weight = rng.uniform(-1, 1, (n_hidden, 3)) + 1.0
    learner = sfdfa.Learner([2.4 * np.eye(n_hidden), weight], [np.zeros((3, n_hidden))], [np.ones(n_hidden)])
    spikes = spikes_of(rng.uniform(0, 0.01, n_hidden), np.arange(n_hidden))

    def grades(noise: Floats) -> Floats:
        activities = sfdfa.observe(learner, sfdfa.Rule(), NEURONS, spikes, HORIZON, [noise, np.zeros(3)])
        assert activities[0].counts.min() > 0
        return activities[-1].grades

    for i, alone in enumerate(np.eye(n_hidden)):
        np.testing.assert_allclose(grades(alone), weight[i], rtol=1e-12)
    draws = [sfdfa.perturb(learner, rng)[0] for _ in range(n_draws)]
    products = np.array([np.outer(grades(noise), noise) for noise in draws])
    sigma = products.std(0) / np.sqrt(n_draws)
    assert np.all(np.abs(products.mean(0) - weight.T) < 4 * sigma)
    assert 0.05 < sigma.mean() < 0.5


def test_gaussian_perturbations_have_the_same_mean_square() -> None:
    learner = sfdfa.start((4, 5000, 3), sfdfa.Rule(), np.random.default_rng(0))
    one, other = (sfdfa.perturb(learner, np.random.default_rng(1), gaussian=kind)[0] for kind in (False, True))
    assert set(one.tolist()) == {-1.0, 1.0}
    assert (other**2).mean() == pytest.approx(1.0, abs=0.1)


def test_output_update_follows_back_propagation() -> None:
    """At the outputs the feedback is the identity: with the exact factor the move is BATS's, without tau and sign."""
    rule = sfdfa.Rule(exact=True, rescue=False)
    rng = np.random.default_rng(1)
    learner = sfdfa.start((20, 20, 3), rule, rng)
    learner.weights[1][:] += 1.0
    inputs = random_spikes(rng, 20)
    spikes = spikes_of(inputs.time, inputs.source)
    activities = sfdfa.observe(learner, rule, NEURONS, spikes, HORIZON, [np.zeros(20), np.zeros(3)])
    _, deltas = sfdfa.errors(learner, rule, activities, TARGET)
    moves = sfdfa.directions(rule, activities, deltas)
    true, counts = bats.gradient(learner.weights, NEURONS, spikes, HORIZON, TARGET)
    assert counts.max() > 1
    np.testing.assert_allclose(moves[1] * -TAU, true[1], rtol=1e-6, atol=1e-9)
    assert np.abs(moves[0]).max() > 0


def bars(rng: np.random.Generator, n: int) -> tuple[list[SpikeTimes], np.ndarray]:
    """Noisy patterns of three classes on 15 pixels, as times to first spike."""
    labels, samples = rng.integers(0, 3, n), []
    for label in labels:
        lit = np.arange(15) // 5 == label
        keep = rng.random(15) < np.where(lit, 0.8, 0.25)
        time = np.where(lit, rng.uniform(0, 0.05, 15), rng.uniform(0.02, 0.1, 15))
        samples.append(spikes_of(time[keep], np.flatnonzero(keep)))
    return samples, labels


def test_it_learns_and_feedback_turns_towards_the_weights() -> None:
    rng, neurons = np.random.default_rng(0), [FloatNeuron(TAU, 0.2), FloatNeuron(TAU, 0.2)]
    rule = sfdfa.Rule(rates=(2.0**-6, 2.0**-7), alpha=2.0**-6)
    learner = sfdfa.start((15, 20, 3), rule, rng)
    samples, labels = bars(rng, 200)
    targets, angles, right = np.where(np.eye(3) > 0, 15.0, 3.0), [], []
    for sample, label in zip(samples, labels, strict=True):
        noise = sfdfa.perturb(learner, rng)
        activities = sfdfa.observe(learner, rule, neurons, sample, HORIZON, noise)
        right.append(activities[-1].counts.argmax() == label)
        learner = sfdfa.update(learner, rule, activities, noise, targets[label])
        angles.append(sfdfa.angle(learner.feedback[0], learner.weights[1]))
    assert np.mean(right[:50]) < 0.7
    assert np.mean(right[-50:]) > 0.85
    assert angles[-1] < 35 < 60 < angles[0]
    alone = sfdfa.counts(learner.weights, neurons, sample, HORIZON)
    assert alone.sum() > 5
    again = sfdfa.observe(learner, rule, neurons, sample, HORIZON, noise)
    assert alone.tolist() == again[-1].counts.tolist(), "perturbations ride on spikes and never make one"
    assert sfdfa.angle(np.zeros((3, 20)), learner.weights[1]) == 90

"""The closed form: against algorithm 6 one neuron at a time, against a fine clock, and in its corner cases."""

from __future__ import annotations

import numpy as np
import pytest
from golden_cases import HORIZON, TAU, literal, random_spikes

from neuroemu.base.errors import NetworkError
from neuroemu.learning.golden.closed_form import FloatNeuron, SpikeTimes, respond, spikes_of, ttfs


@pytest.mark.parametrize("seed", range(5))
def test_equals_algorithm_6_neuron_by_neuron(seed: int) -> None:
    rng = np.random.default_rng(seed)
    neuron = FloatNeuron(TAU, 0.4, 9)
    spikes, weight, noise = (
        random_spikes(rng, 30, 2),
        rng.uniform(-1, 1, (30, 12)) + np.linspace(-0.5, 0.4, 12),
        rng.normal(size=12),
    )
    response = respond(spikes, weight, neuron, HORIZON, noise)
    assert response.counts.max() == 9, "a neuron is full"
    assert response.counts.min() == 0, "a neuron is silent"
    assert np.all(np.diff(response.spikes.time) >= 0)
    for i in range(12):
        own = response.spikes.source == i
        sent, _, residue = literal(spikes, weight[:, i], neuron, noise[i])
        assert response.counts[i] == len(sent)
        np.testing.assert_allclose(response.spikes.time[own], [t for t, _ in sent], rtol=1e-10)
        np.testing.assert_allclose(response.spikes.grade[own], [d for _, d in sent], rtol=1e-10)
        assert response.number[own].tolist() == list(range(len(sent)))
        if len(sent) < neuron.max_spikes:
            assert response.residue[i] == pytest.approx(residue, rel=1e-10)


def test_equals_a_fine_clock_and_spikes_without_input() -> None:
    """Most spikes fall between inputs: testing the threshold only when something arrives would lose them."""
    rng = np.random.default_rng(0)
    spikes, weight = random_spikes(rng, 20), rng.uniform(-1, 1.5, (20, 15))
    neuron, dt = FloatNeuron(TAU, 0.4), 1e-5
    response = respond(spikes, weight, neuron, HORIZON)
    m, g, arrival = np.zeros(15), np.zeros(15), np.ceil(spikes.time / dt).astype(int)
    counts, first = np.zeros(15, int), np.full(15, np.inf)
    for tick in range(int(HORIZON / dt)):
        m, g = m * np.exp(-dt / TAU), g * np.exp(-2 * dt / TAU)
        if tick in arrival:
            drive = weight[spikes.source[arrival == tick]].sum(0)
            m, g = m + drive, g + drive
        fired = m - g >= neuron.threshold
        if fired.any():
            first = np.where(fired & (counts == 0), tick * dt, first)
            counts += fired
            m = m - fired * neuron.threshold
    assert counts.sum() > 20
    assert response.counts.tolist() == counts.tolist()
    for i in np.flatnonzero(counts):
        assert response.spikes.time[response.spikes.source == i][0] == pytest.approx(first[i], abs=1e-4)
    assert (response.spikes.time > spikes.time.max()).mean() > 0.3


def test_potential_is_zero_after_a_spike_and_the_current_stays() -> None:
    """At a crossing m = c + I; what follows starts from u = 0: hard and subtractive reset are one."""
    spikes, weight, neuron = spikes_of(np.zeros(1), np.zeros(1)), np.array([[12.0]]), FloatNeuron(TAU, 0.3)
    response = respond(spikes, weight, neuron, HORIZON)
    assert response.counts[0] > 3
    times = response.spikes.time
    np.testing.assert_allclose(response.current, 12 * np.exp(-2 * times / TAU), rtol=1e-12)
    resets = [0.3 * np.exp((times[:k] - t) / TAU).sum() for k, t in enumerate(times)]
    u = 12 * (np.exp(-times / TAU) - np.exp(-2 * times / TAU)) - resets
    np.testing.assert_allclose(u, 0.3, rtol=1e-12)


def test_largest_potential_of_one_input_is_a_quarter() -> None:
    spikes, neuron = spikes_of(np.zeros(1), np.zeros(1)), FloatNeuron(TAU, 1.0)
    counts = respond(spikes, np.array([[3.999, 4.001]]), neuron, 1.0)
    assert counts.counts.tolist() == [0, 1]
    assert counts.spikes.time[0] == pytest.approx(TAU * np.log(2), abs=5e-3)


def test_two_inputs_at_once_are_their_sum_and_a_crossing_at_an_input_is_not_lost() -> None:
    one = respond(spikes_of(np.zeros(1), np.zeros(1)), np.array([[8.0]]), FloatNeuron(TAU, 1.0), HORIZON)
    two = respond(spikes_of(np.zeros(2), np.arange(2)), np.array([[3.0], [5.0]]), FloatNeuron(TAU, 1.0), HORIZON)
    assert one.spikes.time.tolist() == two.spikes.time.tolist()
    crossing = one.spikes.time[0]
    for nudge in (-1e-17, 0.0, 1e-17):
        spikes = spikes_of(np.array([0.0, crossing + nudge]), np.arange(2))
        response = respond(spikes, np.array([[8.0], [-8.0]]), FloatNeuron(TAU, 1.0), HORIZON)
        assert response.spikes.time == pytest.approx([crossing])


def test_a_full_neuron_is_deaf_and_inputs_after_the_horizon_are_not_heard() -> None:
    rng = np.random.default_rng(1)
    spikes, weight = random_spikes(rng, 30), rng.uniform(0, 1, (30, 4))
    many = respond(spikes, weight, FloatNeuron(TAU, 0.1), 1.0)
    few = respond(spikes, weight, FloatNeuron(TAU, 0.1, 3), 1.0)
    assert many.counts.min() > 3
    assert few.counts.tolist() == [3, 3, 3, 3]
    late = SpikeTimes(spikes.time + 2.0, spikes.source, spikes.grade)
    assert respond(late, weight, FloatNeuron(TAU, 0.1), 1.0).counts.sum() == 0
    assert respond(spikes_of(np.zeros(0), np.zeros(0)), weight, FloatNeuron(TAU, 0.1), 1.0).counts.sum() == 0


def test_brighter_is_earlier_and_black_is_silent() -> None:
    spikes = ttfs(np.array([0.0, 0.5, 1.0]), 0.1)
    assert spikes.time.tolist() == [0.0, 0.05]
    assert spikes.source.tolist() == [2, 1]


def test_refuses_what_would_never_end() -> None:
    with pytest.raises(NetworkError) as refused:
        FloatNeuron(TAU, 0.0)
    assert str(refused.value) == "closed-form neuron: threshold is 0.0; give one above 0"


def test_trap_equations_66_and_67_swap_the_time_constants() -> None:
    """As printed, a grows with exp(t / tau) and b with exp(t / tau_s): the time they give is no crossing."""
    inputs, weights, c = np.array([0.01, 0.03, 0.06]), np.array([3.0, 2.0, 4.0]), 0.4
    slow, fast = (weights * np.exp(inputs / TAU)).sum(), (weights * np.exp(2 * inputs / TAU)).sum()
    potentials = []
    for a, b in ((fast, slow), (slow, fast)):
        time = TAU * np.log(2 * a / (b + np.sqrt(b * b - 4 * a * c)))
        potentials.append(slow * np.exp(-time / TAU) - fast * np.exp(-2 * time / TAU))
    assert potentials[0] == pytest.approx(c, rel=1e-12)
    assert abs(potentials[1] - c) > 0.1


def test_trap_threshold_on_inputs_only_loses_most_spikes() -> None:
    """Algorithm 6, line 9, as printed gives at most one spike an input; here the last input is followed by several."""
    rng = np.random.default_rng(0)
    spikes, weight = random_spikes(rng, 20), rng.uniform(-1, 1.5, (20, 15))
    after = respond(spikes, weight, FloatNeuron(TAU, 0.4), HORIZON).spikes
    late = np.bincount(after.source[after.time > spikes.time.max()], minlength=15)
    assert late.max() > 2

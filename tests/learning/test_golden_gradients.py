"""Local gradients against finite differences, against algorithm 6, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from golden_cases import HORIZON, TAU, literal, random_spikes

from neuroemu.base.arrays import Floats
from neuroemu.learning.golden.closed_form import FloatNeuron, Response, SpikeTimes, respond, spikes_of
from neuroemu.learning.golden.gradients import (
    axon_traces,
    eligibility,
    potential,
    spike_eligibility,
    virtual_eligibility,
)

NEURON = FloatNeuron(TAU, 0.4)


def steep(response: Response, margin: float = 0.3) -> np.ndarray:
    """Neurons all of whose spikes cross well above the critical point I = c."""
    shallow = response.spikes.source[response.current < NEURON.threshold + margin]
    return np.setdiff1d(np.unique(response.spikes.source), shallow)


def time_slopes(spikes: SpikeTimes, weight: Floats, step: float = 1e-6) -> Floats:
    """d (sum of spike times) / d w by central differences, (n_pre, n); nan where a spike appears or goes."""
    slopes = np.full(weight.shape, np.nan)
    whole = respond(spikes, weight, NEURON, HORIZON).counts
    for j in range(len(weight)):
        sums = []
        for sign in (1, -1):
            moved = weight.copy()
            moved[j] += sign * step
            response = respond(spikes, moved, NEURON, HORIZON)
            total = np.bincount(response.spikes.source, weights=response.spikes.time, minlength=weight.shape[1])
            sums.append(np.where(response.counts == whole, total, np.nan))
        slopes[j] = (sums[0] - sums[1]) / (2 * step)
    return slopes


@pytest.mark.parametrize("seed", range(4))
def test_exact_gradient_is_the_finite_difference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spikes, weight = random_spikes(rng, 15, 2), rng.uniform(-1, 1.3, (15, 10))
    response = respond(spikes, weight, NEURON, HORIZON)
    who = steep(response)
    assert len(who) >= 2
    assert response.counts[who].max() > 3, "neurons with their own resets in between"
    local = -TAU * eligibility(spikes, 15, response, NEURON, exact=True)[:, who]
    slopes = time_slopes(spikes, weight)[:, who]
    assert np.isfinite(slopes).mean() > 0.9
    error = np.abs(local - slopes)[np.isfinite(slopes)].max()
    assert error < 1e-5 * np.abs(local).max()
    # the recurrence through a neuron's own spikes is part of it
    without = -TAU * eligibility(spikes, 15, response, NEURON, exact=True, recurrent=False)[:, who]
    assert np.abs(without - local).max() > 0.1 * np.abs(local).max()


@pytest.mark.parametrize("exact", [True, False])
def test_both_equal_algorithm_6(exact: bool) -> None:
    rng = np.random.default_rng(3)
    spikes, weight = random_spikes(rng, 25, 2), rng.uniform(-1, 1.3, (25, 10))
    response = respond(spikes, weight, NEURON, HORIZON)
    local = -TAU * eligibility(spikes, 25, response, NEURON, exact=exact)
    assert response.counts.sum() > 20
    for i in range(10):
        _, loc, _ = literal(spikes, weight[:, i], NEURON, 0.0, exact=exact)
        np.testing.assert_allclose(local[:, i], loc, rtol=1e-6, atol=1e-9 * (1 + np.abs(loc).max()))


def test_modified_is_exact_times_one_minus_c_over_current() -> None:
    """tau / I against tau / (I - c) (equations 161, 162): spike by spike as long as no own spike came before."""
    rng = np.random.default_rng(5)
    spikes, weight = random_spikes(rng, 40), rng.uniform(-1, 1.2, (40, 30))
    response = respond(spikes, weight, NEURON, HORIZON)
    exact = spike_eligibility(spikes, 40, response, NEURON, exact=True)
    modified = spike_eligibility(spikes, 40, response, NEURON)
    ratio = 1 - NEURON.threshold / response.current
    assert np.all((ratio > 0) & (ratio < 1)), "I > c at every crossing"
    first = response.number == 0
    assert first.sum() > 5
    np.testing.assert_allclose(modified[first], exact[first] * ratio[first, None], rtol=1e-12)
    assert not np.allclose(modified[~first], exact[~first] * ratio[~first, None], rtol=1e-3)
    flat = {
        name: spike_eligibility(spikes, 40, response, NEURON, exact=name == "exact", recurrent=False)
        for name in ("exact", "modified")
    }
    np.testing.assert_allclose(flat["modified"], flat["exact"] * ratio[:, None], rtol=1e-12)
    # e <= 1/4 and 1 / I < 1 / c bound what one input adds without recurrence; nothing bounds the exact one
    assert flat["modified"].max() <= 0.25 / NEURON.threshold


def test_without_recurrence_it_factorises_into_axon_trace_and_neuron() -> None:
    rng = np.random.default_rng(6)
    spikes, weight = random_spikes(rng, 20, 2), rng.uniform(-1, 1.3, (20, 8))
    response = respond(spikes, weight, NEURON, HORIZON)
    trace = axon_traces(spikes, 20, response.spikes.time, TAU)
    expected = np.zeros((20, 8))
    for x, i, current in zip(trace, response.spikes.source, response.current, strict=True):
        expected[:, i] += x / current
    np.testing.assert_allclose(eligibility(spikes, 20, response, NEURON, recurrent=False), expected, rtol=1e-12)
    assert np.count_nonzero(expected) > 50


def test_trace_is_the_potential_of_a_unit_weight_and_rescue_reads_it_at_the_end() -> None:
    spikes = spikes_of(np.array([0.0, 0.05]), np.array([0, 0]))
    ends = [potential(np.array(HORIZON), TAU) + potential(np.array(HORIZON - 0.05), TAU), 0.0]
    np.testing.assert_allclose(axon_traces(spikes, 2, np.array([HORIZON]), TAU)[0], ends, rtol=1e-12)
    np.testing.assert_allclose(virtual_eligibility(spikes, 2, HORIZON, NEURON), np.array(ends) / 0.4, rtol=1e-12)
    assert potential(np.array([-1.0, 0.0, TAU * np.log(2)]), TAU) == pytest.approx([0, 0, 0.25])

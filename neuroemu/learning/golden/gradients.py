"""Local gradients of spike times with respect to weights, exact and modified (Bacho 2024, thesis, equations 155-165).

    eps(t) = exp(-t / tau) - exp(-2 t / tau);   x_j(t) = sum of eps(t - t_j) over the spikes of axon j: shared by all its synapses
    e_ij = x_j + r_ij;   q = e_ij / (I_i - c) exact, e_ij / I_i modified;   after an own spike r_ij <- r_ij + c q, decaying with tau
    d t_i / d w_ij = -tau q,  exact: u' = (I - c) / tau at the crossing (equation 161);  SFDFA uses the modified one (equation 162)

The modified factor is at most 1 / c, as I >= c at every crossing; the exact one has no bound. A neuron's *eligibility* is the sum
of q over its spikes, LOC' = -LOC / tau: without dimension, of the sign of the trace, and what the chip accumulates. As d n / d t
of a spike count is taken as -1 per spike, tau x eligibility is also the gradient of the spike count that BATS and SFDFA use.
"""

from __future__ import annotations

import numpy as np

from neuroemu.base.arrays import Floats
from neuroemu.learning.golden.closed_form import FloatNeuron, Response, SpikeTimes


def potential(time: Floats, tau: float) -> Floats:
    """Postsynaptic potential eps of a unit weight, ``time`` seconds after the spike (equation 62); 0 before it."""
    after = np.maximum(time, 0.0)
    return np.exp(-after / tau) - np.exp(-2.0 * after / tau)


def axon_traces(spikes: SpikeTimes, n_pre: int, times: Floats, tau: float) -> Floats:
    """x_j at each of ``times``: (n_times, n_pre), without dimension."""
    effect = potential(times[:, None] - spikes.time[None, :], tau)
    axon = np.zeros((len(spikes.source), n_pre))
    axon[np.arange(len(axon)), spikes.source] = 1.0
    return effect @ axon


def spike_eligibility(
    pre: SpikeTimes, n_pre: int, post: Response, neuron: FloatNeuron, *, exact: bool = False, recurrent: bool = True
) -> Floats:
    """q of every spike of ``post`` and every axon: (n_spikes, n_pre), 1 / unit of weight; -tau q is the spike time's gradient.

    Without ``recurrent`` r is dropped: one accumulator per synapse instead of two, at no measured loss of accuracy.
    """
    q = axon_traces(pre, n_pre, post.spikes.time, neuron.tau)
    steepness = post.current - neuron.threshold if exact else post.current
    r, last = np.zeros((post.n, n_pre)), np.zeros(post.n)
    for k in range(int(post.number.max(initial=-1)) + 1):
        spike = np.flatnonzero(post.number == k)
        source, time = post.spikes.source[spike], post.spikes.time[spike]
        r[source] *= np.exp((last[source] - time) / neuron.tau)[:, None]
        q[spike] = (q[spike] + r[source]) / steepness[spike, None]
        if recurrent:
            r[source] += neuron.threshold * q[spike]
        last[source] = time
    return q


def eligibility(
    pre: SpikeTimes, n_pre: int, post: Response, neuron: FloatNeuron, *, exact: bool = False, recurrent: bool = True
) -> Floats:
    """LOC' of every synapse: (n_pre, n_post), 1 / unit of weight (equation 153 over -tau)."""
    total = np.zeros((post.n, n_pre))
    np.add.at(total, post.spikes.source, spike_eligibility(pre, n_pre, post, neuron, exact=exact, recurrent=recurrent))
    return total.T


def virtual_eligibility(pre: SpikeTimes, n_pre: int, horizon: float, neuron: FloatNeuron) -> Floats:
    """LOC' as if a silent output had spiked at the end, with a current of c: x_j(horizon) / c, (n_pre,), 1 / unit of weight.

    A silent output has no eligibility and would stay dead; this rescue is for outputs only (specification 9.2a).
    """
    return np.asarray(axon_traces(pre, n_pre, np.array([horizon]), neuron.tau)[0] / neuron.threshold)

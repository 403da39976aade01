"""BATS: exact back-propagation through spike times, the reference a local rule is compared with (Bacho 2024, thesis, 77-94).

At a spike the current is I, the potential rises with (I - c) / tau, and the implicit function theorem gives, with s = tau / (I - c),

    d t / d w_j = -s x_j(t)                                    a weight (equation 79)
    d t / d t_q = w s (2 exp(-2 D / tau) - exp(-D / tau)) / tau    an earlier input spike, D = t - t_q (equation 85)
    d t / d t_k = s (c / tau) exp(-(t - t_k) / tau)            an earlier spike of its own (equation 87)

Both of the thesis's factors f1 = (tau / a)(1 + c E / x) and f2 = tau / x are s in these coordinates: m, g taken at the spike.
"""

from __future__ import annotations

import numpy as np

from neuroemu.base.arrays import Floats, Ints
from neuroemu.learning.golden.closed_form import FloatNeuron, Response, SpikeTimes, respond
from neuroemu.learning.golden.gradients import axon_traces


def forward(weights: list[Floats], neurons: list[FloatNeuron], spikes: SpikeTimes, horizon: float) -> list[Response]:
    """Responses of the layers of a network, first to last; weights[l] has shape (n[l], n[l + 1])."""
    layers: list[Response] = []
    for weight, neuron in zip(weights, neurons, strict=True):
        layers.append(respond(layers[-1].spikes if layers else spikes, weight, neuron, horizon))
    return layers


def count_loss(output: Response, target: Floats) -> tuple[float, Floats]:
    """L = 1/2 sum (target - n)^2 and the error of every output spike, target - n of its neuron (equation 94).

    The second stands for dL / dt, with d n / d t := -1: earlier spikes are more spikes. target (n,), error (n_spikes,).
    """
    error = np.asarray(target - output.counts, np.float64)
    return 0.5 * float(error @ error), error[output.spikes.source]


def first_times(output: Response) -> Floats:
    """Time of each neuron's first spike, in s; inf for a silent one: (n,)."""
    times = np.full(output.n, np.inf)
    first = output.number == 0
    times[output.spikes.source[first]] = output.spikes.time[first]
    return times


def ttfs_loss(output: Response, label: int, tau: float) -> tuple[float, Floats]:
    """L = log sum_o exp(-(t_o - t_label) / tau) of first spikes, and dL / dt of every output spike, in 1 / s (equation 91).

    ``tau`` in s. The label's neuron must have fired.
    """
    times = first_times(output)
    score = np.exp(-(times - times[label]) / tau)
    slope = ((np.arange(output.n) == label) - score / score.sum()) / tau
    first = output.number == 0
    return float(np.log(score.sum())), np.where(first, slope[output.spikes.source], 0.0)


def _own_spikes(error: Floats, layer: Response, neuron: FloatNeuron) -> Floats:
    """Add to every spike's dL / dt what it does to its neuron's later spikes (equations 86-89): (n_spikes,)."""
    total, later, when = error.copy(), np.zeros(layer.n), np.zeros(layer.n)
    for k in range(int(layer.number.max(initial=-1)), -1, -1):
        spike = np.flatnonzero(layer.number == k)
        source, time = layer.spikes.source[spike], layer.spikes.time[spike]
        later[source] *= np.exp(np.minimum(time - when[source], 0.0) / neuron.tau)
        total[spike] += later[source]
        later[source] += total[spike] * neuron.threshold / (layer.current[spike] - neuron.threshold)
        when[source] = time
    return total


def _input_spikes(slope: Floats, pre: SpikeTimes, layer: Response, weight: Floats, neuron: FloatNeuron) -> Floats:
    """dL / dt of every input spike of a layer, in units of slope (n_spikes of the layer,): (n_spikes of pre,)."""
    lag = layer.spikes.time[:, None] - pre.time[None, :]
    decay = np.exp(-np.maximum(lag, 0.0) / neuron.tau)
    rise = np.where(lag > 0, (2.0 * decay * decay - decay) / neuron.tau, 0.0)
    return np.asarray(slope @ (rise * weight[pre.source][:, layer.spikes.source].T))


def backward(
    weights: list[Floats], neurons: list[FloatNeuron], spikes: SpikeTimes, layers: list[Response], error: Floats
) -> list[Floats]:
    """dL / dW of every layer, each of its weight's shape, from ``error``: dL / dt of every output spike, (n_spikes,)."""
    gradients: list[Floats] = []
    for depth in range(len(weights) - 1, -1, -1):
        weight, neuron, layer = weights[depth], neurons[depth], layers[depth]
        pre = layers[depth - 1].spikes if depth else spikes
        slope = _own_spikes(error, layer, neuron) * neuron.tau / (layer.current - neuron.threshold)
        rows = np.zeros((layer.n, weight.shape[0]))
        np.add.at(
            rows,
            layer.spikes.source,
            -slope[:, None] * axon_traces(pre, weight.shape[0], layer.spikes.time, neuron.tau),
        )
        gradients.insert(0, rows.T)
        error = _input_spikes(slope, pre, layer, weight, neuron)
    return gradients


def gradient(
    weights: list[Floats], neurons: list[FloatNeuron], spikes: SpikeTimes, horizon: float, target: Floats
) -> tuple[list[Floats], Ints]:
    """BATS's gradient of the count loss on one sample, and the output's spike counts: what a rule's update is compared with.

    A rule that descends moves weights along minus this. target (n_out,): wanted counts.
    """
    layers = forward(weights, neurons, spikes, horizon)
    return backward(weights, neurons, spikes, layers, count_loss(layers[-1], target)[1]), layers[-1].counts

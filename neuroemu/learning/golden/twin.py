"""Float twin of the integer SFDFA program: its ticks, its decays and its order of events, without its rounding.

    m <- m (1 - 2^-k) + w,   g <- g (1 - 2^-(k-1)) + w;   a spike if m - g >= c, then m <- m - c        one tick of the soma
    M <- M (1 - 2^-k) + 1,   G <- G (1 - 2^-(k-1)) + 1 of axon j where a spike arrives;   x_j = M - G   its trace
    at an own spike: e_ij = x_j + r_ij,  q = e_ij / max(g, c),  LOC'_ij += q,  r_ij += c q (r decays with m)

Decays by shifts of k and k - 1 keep tau = 2 tau_s up to 2^-2k: (1 - 2^-k)^2 = 1 - 2^-(k-1) + 2^-2k. As the tick overshoots, g can be
below c at a spike: the current is never taken smaller than c (specification 9.2d). Ticks are those at which packets arrive, not
those at which they were sent. Divide the integer program's registers by 2^fraction bits to compare; units are weights, ticks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.arrays import Floats
from neuroemu.learning.golden.sfdfa import Activity

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class TickNeuron:
    """k: tau is 2^k ticks, tau_s 2^(k-1); threshold c in units of weight; ``power_of_two``: 1 / I rounds up to 2^-floor(log2 I)."""

    k: int
    threshold: float
    power_of_two: bool = False

    def reciprocal(self, current: Floats) -> Floats:
        """1 / max(g, c) of each spike, any shape, in 1 / unit of weight."""
        floored = np.maximum(current, self.threshold)
        return 2.0 ** -np.floor(np.log2(floored)) if self.power_of_two else 1.0 / floored


@dataclass(frozen=True, eq=False)
class TickResponse:
    """One layer over a presentation: fired and grade (n_ticks, n); m and g (n_ticks, n) after each tick; traces x (n_ticks, n_pre).

    ``eligibility`` (n_pre, n): LOC' at the end, 1 / unit of weight; ``residue`` (n,): grade no spike took.
    """

    fired: Bools
    grade: Floats
    m: Floats
    g: Floats
    trace: Floats
    eligibility: Floats
    residue: Floats

    def activity(self, neuron: TickNeuron) -> Activity:
        """What ``sfdfa.update`` needs of this layer; a virtual spike has the last tick's traces and a current of c."""
        virtual = self.trace[-1] / neuron.threshold
        return Activity(self.fired.sum(0), self.eligibility, np.where(self.fired, self.grade, 0.0).sum(0), virtual)


def axon_traces(arrivals: Floats, k: int) -> Floats:
    """x of every axon after each tick's arrivals, without dimension; arrivals (n_ticks, n_pre): spikes. (n_ticks, n_pre)."""
    slow, fast, trace = np.zeros(arrivals.shape[1]), np.zeros(arrivals.shape[1]), np.zeros(arrivals.shape)
    for tick, arrived in enumerate(arrivals):
        slow = slow * (1 - 2.0**-k) + arrived
        fast = fast * (1 - 2.0 ** (1 - k)) + arrived
        trace[tick] = slow - fast
    return trace


def local_eligibility(
    arrivals: Floats, fired: Bools, g: Floats, neuron: TickNeuron, *, recurrent: bool = False
) -> Floats:
    """LOC' after the last tick, (n_pre, n), 1 / unit of weight, of any spikes: the twin's own or an integer run's.

    arrivals (n_ticks, n_pre): spikes arriving; fired (n_ticks, n); g (n_ticks, n): current at each tick in units of weight.
    """
    trace = axon_traces(arrivals, neuron.k)
    if not recurrent:
        return np.asarray(trace.T @ np.where(fired, neuron.reciprocal(g), 0.0))
    total, r = np.zeros((trace.shape[1], fired.shape[1])), np.zeros((trace.shape[1], fired.shape[1]))
    for tick in range(len(fired)):
        r *= 1 - 2.0**-neuron.k
        own = np.flatnonzero(fired[tick])
        q = (trace[tick][:, None] + r[:, own]) * neuron.reciprocal(g[tick, own])
        total[:, own] += q
        r[:, own] += neuron.threshold * q
    return total


def respond(
    arrivals: Floats,
    grades: Floats,
    weight: Floats,
    neuron: TickNeuron,
    perturbation: Floats,
    *,
    recurrent: bool = False,
    forced: Bools | None = None,
) -> TickResponse:
    """A layer's presentation, tick by tick.

    arrivals (n_ticks, n_pre): spikes arriving at each tick; grades (n_ticks, n_pre): their payloads' sum; weight (n_pre, n), as
    the datapath uses it; perturbation (n,), zeros for outputs. ``forced`` (n_ticks, n) gives the spikes instead of the threshold,
    so that a program's rounding of a crossing does not hide its rounding of everything else.
    """
    n_ticks, n = len(arrivals), weight.shape[1]
    drive, directional = arrivals @ weight, grades @ weight
    fired, sent = np.zeros((n_ticks, n), np.bool_), np.zeros((n_ticks, n))
    m, g, s = np.zeros((n_ticks + 1, n)), np.zeros((n_ticks + 1, n)), np.zeros(n)
    seen = np.zeros(n, np.bool_)
    for tick in range(n_ticks):
        m[tick + 1] = m[tick] * (1 - 2.0**-neuron.k) + drive[tick]
        g[tick + 1] = g[tick] * (1 - 2.0 ** (1 - neuron.k)) + drive[tick]
        s += directional[tick]
        spike = m[tick + 1] - g[tick + 1] >= neuron.threshold if forced is None else forced[tick]
        m[tick + 1] -= np.where(spike, neuron.threshold, 0.0)
        sent[tick] = np.where(spike, s + np.where(seen, 0.0, perturbation), 0.0)
        s = np.where(spike, 0.0, s)
        seen |= spike
        fired[tick] = spike
    local = local_eligibility(arrivals, fired, g[1:], neuron, recurrent=recurrent)
    return TickResponse(fired, sent, m[1:], g[1:], axon_traces(arrivals, neuron.k), local, s)

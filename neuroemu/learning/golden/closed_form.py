"""Exact event-driven dynamics of the current-based LIF neuron with tau = 2 tau_s (Bacho 2024, thesis, equations 61-69).

    m(t) decays with tau, g(t) with tau / 2; both grow by the weight of every input spike;  u = m - g, the current is g
    a spike where u reaches the threshold c from below; then m <- m - c, hence u = 0 exactly;  g is never reset

With y = exp(-s / tau), s after the last input, u = c is the quadratic g y^2 - m y + c = 0; the rising crossing is the earlier:

    exp(s / tau) = 2 g / (m + x),   x = sqrt(m^2 - 4 g c);      it exists iff m > 0, g > 0 and m^2 > 4 g c

m and g are taken at the last input rather than at time 0, so no horizon overflows. The thesis swaps the two time constants in
equations 66 and 67; here g, its a, decays with tau_s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neuroemu.base.arrays import Floats, Ints
from neuroemu.base.errors import NetworkError

ROUNDING = 1e-12
"""A crossing this many tau after the next input is a crossing at it, found a rounding late; it would be lost otherwise."""


@dataclass(frozen=True)
class FloatNeuron:
    """tau: membrane time constant in s, twice the synaptic one; threshold c, in units of weight x 1/4 at the largest PSP.

    A neuron of ``max_spikes`` spikes is deaf and mute for the rest of the presentation, as in the author's kernels.
    """

    tau: float
    threshold: float
    max_spikes: int = 30

    def __post_init__(self) -> None:
        for name in ("tau", "threshold", "max_spikes"):
            if not getattr(self, name) > 0:
                raise NetworkError(f"closed-form neuron: {name} is {getattr(self, name)}; give one above 0")


@dataclass(frozen=True, eq=False)
class SpikeTimes:
    """Spikes in order of time, then source: time (s), source and grade (the payload, 0 from inputs), each (n_spikes,)."""

    time: Floats
    source: Ints
    grade: Floats


@dataclass(frozen=True, eq=False)
class Response:
    """What one layer did: its spikes; for each, its current g (n_spikes,) and its number k = 0, 1, … among its neuron's own.

    ``residue`` (n,) is the grade no spike took with it; it is lost unless a register is read at the end.
    """

    n: int
    spikes: SpikeTimes
    current: Floats
    number: Ints
    residue: Floats

    @property
    def counts(self) -> Ints:
        """Spikes of each neuron: (n,)."""
        return np.bincount(self.spikes.source, minlength=self.n)

    @property
    def grades(self) -> Floats:
        """Sum of the grades each neuron sent, the directional derivative d_o of an output: (n,) (equation 146)."""
        return np.bincount(self.spikes.source, weights=self.spikes.grade, minlength=self.n).astype(np.float64)


def spikes_of(time: Floats, source: Ints, grade: Floats | None = None) -> SpikeTimes:
    """Spikes in the order every function here expects; grades are 0 unless given."""
    times, sources = np.asarray(time, np.float64), np.asarray(source, np.int64)
    grades = np.zeros(len(times)) if grade is None else np.asarray(grade, np.float64)
    order = np.lexsort((sources, times))
    return SpikeTimes(times[order], sources[order], grades[order])


def ttfs(sample: Floats, window: float) -> SpikeTimes:
    """One spike per pixel, the brighter the earlier: t = window (1 - value), ``sample`` (n,) in 0..1; 0 is silent (equation 38)."""
    source = np.flatnonzero(sample > 0)
    return spikes_of(window * (1.0 - sample[source]), source)


def _arrivals(spikes: SpikeTimes, horizon: float) -> Iterator[tuple[float, slice, float]]:
    """(time, spikes of that time, the next time or the horizon) of each moment at which something arrives."""
    times, first = np.unique(spikes.time, return_index=True)
    ends = [*first[1:], len(spikes.time)]
    for time, start, end, until in zip(times, first, ends, [*times[1:], np.inf], strict=False):
        if time <= horizon:
            yield float(time), slice(int(start), int(end)), min(float(until), horizon)


def crossing(m: Floats, g: Floats, threshold: float, after: Floats) -> Floats:
    """exp(s / tau) of each neuron's first rising crossing no earlier than ``after``, or inf: (n,) (equations 65-69).

    m, g (n,): the accumulators at s = 0; ``after`` (n,): exp(s / tau) of the last own spike, 1 if none.
    """
    square = m * m - 4.0 * g * threshold
    exists = (m > 0) & (g > 0) & (square > 0)
    growth = np.full(len(m), np.inf)
    growth[exists] = 2.0 * g[exists] / (m[exists] + np.sqrt(square[exists]))
    return np.where(growth >= after, growth, np.inf)


class _Layer:
    """Accumulators m, g and grade s of a layer's neurons, each (n,), at the time of the last input; and its spikes so far."""

    def __init__(self, n: int, neuron: FloatNeuron, perturbation: Floats | None) -> None:
        self.neuron, self.perturbation = neuron, np.zeros(n) if perturbation is None else perturbation
        self.m, self.g, self.s = np.zeros(n), np.zeros(n), np.zeros(n)
        self.count, self.now = np.zeros(n, np.int64), 0.0
        self.found: list[tuple[Floats, Ints, Floats, Floats, Ints]] = []

    def receive(self, time: float, rows: Floats, grades: Floats) -> None:
        """Decay to ``time`` and add the weights of what arrives: rows (n_spikes, n), grades (n_spikes,)."""
        decay = np.exp((self.now - time) / self.neuron.tau)
        drive = rows.sum(0)
        self.m = self.m * decay + drive
        self.g = self.g * decay * decay + drive
        self.s += grades @ rows
        self.now = time

    def fire(self, until: float) -> None:
        """Every spike up to ``until``: a neuron may spike several times between two inputs (algorithm 6 forgets the loop)."""
        after = np.ones(len(self.m))
        while True:
            growth = crossing(self.m, self.g, self.neuron.threshold, after)
            time = self.now + self.neuron.tau * np.log(growth)
            in_time = np.isfinite(time) & (time <= until + ROUNDING * self.neuron.tau)
            who = np.flatnonzero(in_time & (self.count < self.neuron.max_spikes))
            if not len(who):
                return
            grade = self.s[who] + np.where(self.count[who] == 0, self.perturbation[who], 0.0)
            current = self.g[who] / growth[who] ** 2
            self.found.append((np.minimum(time[who], until), who, grade, current, self.count[who].copy()))
            self.s[who] = 0.0
            self.m[who] -= self.neuron.threshold * growth[who]
            self.count[who] += 1
            after[who] = growth[who]


def respond(
    spikes: SpikeTimes, weight: Floats, neuron: FloatNeuron, horizon: float, perturbation: Floats | None = None
) -> Response:
    """Response of a layer to ``spikes`` up to ``horizon`` seconds; weight (n_pre, n), perturbation (n,) or none.

    A spike's grade is s plus, on a neuron's first spike, its perturbation (equations 141-144): s grows by weight x grade of every
    arriving spike, without decay, and a spike empties it.
    """
    layer = _Layer(weight.shape[1], neuron, perturbation)
    for time, part, until in _arrivals(spikes, horizon):
        layer.receive(time, weight[spikes.source[part]], spikes.grade[part])
        layer.fire(until)
    empty = [(np.zeros(0), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))]
    time_, source, grade, current, number = (
        np.concatenate(column) for column in zip(*(layer.found or empty), strict=True)
    )
    order = np.lexsort((source, time_))
    sent = SpikeTimes(time_[order], source[order], grade[order])
    return Response(len(layer.m), sent, current[order], number[order], layer.s)

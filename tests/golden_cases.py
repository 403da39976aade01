"""Random neurons and networks for the tests of the golden models, and the thesis's algorithm 6 written out, one neuron at a time."""

from __future__ import annotations

import math

import numpy as np

from neuroemu.base.arrays import Floats
from neuroemu.learning.golden.closed_form import FloatNeuron, SpikeTimes, spikes_of

TAU, HORIZON = 0.26, 0.2


def random_spikes(rng: np.random.Generator, n_pre: int, per_axon: int = 1, window: float = 0.1) -> SpikeTimes:
    """Every axon's spikes at random moments of the window, with random grades."""
    n = n_pre * per_axon
    return spikes_of(rng.uniform(0, window, n), np.tile(np.arange(n_pre), per_axon), rng.normal(size=n))


def literal(
    spikes: SpikeTimes, weight: Floats, neuron: FloatNeuron, noise: float, *, exact: bool = False
) -> tuple[list[tuple[float, float]], Floats, float]:
    """Algorithm 6 for one neuron in its own exp(+t) coordinates, corrected as specification 9.1-3 says.

    (time, grade) of each spike, the local gradient LOC (n_pre,) in s, the residue of s.
    """
    tau, c = neuron.tau, neuron.threshold
    a = b = s = 0.0
    f, h, loc = np.zeros(len(weight)), np.zeros(len(weight)), np.zeros(len(weight))
    sent: list[tuple[float, float]] = []
    for n, (time, j, grade) in enumerate(zip(spikes.time, spikes.source, spikes.grade, strict=True)):
        f[j] += math.exp(2 * time / tau)
        h[j] += math.exp(time / tau)
        a += weight[j] * math.exp(2 * time / tau)
        b += weight[j] * math.exp(time / tau)
        s += weight[j] * grade
        last, until = time, spikes.time[n + 1] if n + 1 < len(spikes.time) else math.inf
        while b * b - 4 * a * c > 0 and (below := b + math.sqrt(b * b - 4 * a * c)) != 0 and 2 * a / below > 0:
            t = tau * math.log(2 * a / below)
            if t < last or t > until or t > HORIZON or len(sent) == neuron.max_spikes:
                break
            current = a * math.exp(-2 * t / tau)
            slope = (f * math.exp(-2 * t / tau) - h * math.exp(-t / tau)) * tau / (current - c * exact)
            loc += slope
            h -= c / tau * math.exp(t / tau) * slope
            b -= c * math.exp(t / tau)
            sent.append((t, s + (noise if not sent else 0.0)))
            s, last = 0.0, t
    return sent, loc, s

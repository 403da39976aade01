"""The integer network that SpikeGrad trains, in plain NumPy: no ticks, no phases, no packets (specification 1.7).

I = W S + b;  S = min((2 I + T) // 2T, s_max) if I > 0, else 0;  S' = I > 0 and S < s_max;  T = 2^f
E = rha(alpha (p - t)) at the top, Z = rha(W E / T), E = Z S';  dW = -S E / 2^k, db = -E / 2^k, rounded stochastically
with momentum m: V = mu V - S E, mu = 1 - 2^-m, in 256ths and towards zero; dW = (1 - mu) V / 2^k
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neuroemu.language.isa import tick_key
from neuroemu.language.machine import COMMIT_TICK, SITES

Ints = np.ndarray
WORD = (1 << 64) - 1


def rha(x: Ints, divisor: int | Ints) -> Ints:
    """x / divisor, rounded to nearest, half away from zero."""
    return np.sign(x) * ((2 * np.abs(x) + divisor) // (2 * divisor))


def mix(z: Ints) -> Ints:
    """MurmurHash3's finaliser, over uint64 arrays."""
    z = (z ^ (z >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    z = (z ^ (z >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return z ^ (z >> np.uint64(33))


def uniform(seed: int, commit: int, hook: str, ids: Ints, bits: int) -> Ints:
    """The first random number of a commit hook's calls for neurons or synapses ``ids``."""
    base = mix(np.array([(tick_key(seed, commit, COMMIT_TICK) + SITES[hook]) & WORD], np.uint64))
    keys = base + ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return ((mix(keys) >> np.uint64(1)) >> np.uint64(63 - bits)).astype(np.int64)


def softmax_error(v: Ints, target: Ints, f: int, alpha: int) -> Ints:
    """alpha (p - t) by the tables the chip has: 256 exponentials of 12 bits, a step of 1/16, and 256 reciprocals."""
    step = max(f - 4, 0)
    grid = np.arange(256)
    exp = np.rint(4095 * np.exp(-grid * 2.0**step / 2.0**f)).astype(np.int64)
    ex = exp[np.minimum((v.max(axis=1, keepdims=True) - v) >> step, 255)]
    total = ex.sum(axis=1, keepdims=True)
    places = np.floor(np.log2(total)).astype(np.int64) - 8
    reciprocal = np.rint(2.0**20 / (256.5 + ((total >> places) - 256))).astype(np.int64)
    return rha(alpha * ex * reciprocal - (alpha * target << (places + 20)), np.int64(1) << (places + 20))


@dataclass
class Network:
    """Weights (pre, post) and biases of every layer, and what the chip's image says of ids; everything else is a constant.

    ``run`` sums updates and ``commit`` applies them. ``last`` holds what the last call of ``run`` computed, by name of the
    specification, each of shape (presentations, neurons) by layer.
    """

    weights: list[Ints]
    biases: list[Ints]
    f: int
    k: int
    alpha: int
    s_max: int = 32767
    momentum: int = 0
    seed: int = 0
    fine: int = 0
    bits: int = 8
    synapse_ids: list[int] = field(default_factory=list)
    neuron_ids: list[int] = field(default_factory=list)
    commits: int = 0
    last: dict[str, list[Ints]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.moved = [np.zeros_like(w) for w in self.weights]
        self.moved_b = [np.zeros_like(b) for b in self.biases]
        self.traces = [np.zeros_like(w) for w in self.weights]

    def seen(self) -> list[Ints]:
        """The weights of the datapath: the masters, rounded to nearest, ties up, and saturated."""
        if not self.fine:
            return self.weights
        half = 1 << (self.bits - 1)
        return [np.clip((w + (1 << (self.fine - 1))) >> self.fine, -half, half - 1) for w in self.weights]

    def run(self, x: Ints, target: Ints) -> Ints:
        """Presentations with these weights: x of shape (n, inputs), target one-hot (n, outputs). Returns I of the top layer."""
        threshold = 1 << self.f
        counts, gates, drives = [x.astype(np.int64)], [], []
        weights = self.seen()
        for w, b in zip(weights, self.biases, strict=True):
            drive = counts[-1] @ w + b
            drives.append(drive)
            counts.append(np.minimum(np.where(drive > 0, (2 * drive + threshold) // (2 * threshold), 0), self.s_max))
            gates.append((drive > 0) & (counts[-1] < self.s_max))
        top = drives[-1]
        errors = [softmax_error(top, target, self.f, self.alpha)]
        for w, gate in zip(weights[:0:-1], gates[-2::-1], strict=True):
            errors.insert(0, rha(errors[0] @ w.T, threshold) * gate)
        for n, error in enumerate(errors):
            if self.momentum:
                for s, e in zip(counts[n], error, strict=True):
                    kept = np.abs(self.traces[n]) * (4096 - (4096 >> self.momentum)) >> 12
                    self.traces[n] = np.sign(self.traces[n]) * kept - 256 * np.outer(s, e)
                    self.moved[n] += self.traces[n]
            else:
                self.moved[n] -= counts[n].T @ error
            self.moved_b[n] -= error.sum(axis=0)
        self.last = {"I": drives, "S": counts, "gate": gates, "E": errors}
        return top

    def commit(self) -> None:
        """Apply what was summed; weights have 16 bits."""
        for n, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            ids = self.synapse_ids[n] + np.arange(w.size).reshape(w.shape)
            k = self.k + self.momentum + 8 if self.momentum else self.k
            up = uniform(self.seed, self.commits, "commit_synapse", ids, k)
            self.weights[n] = np.clip(w + ((self.moved[n] + up) >> k), -32768, 32767)
            up = uniform(self.seed, self.commits, "commit", self.neuron_ids[n] + np.arange(b.size), self.k + self.fine)
            self.biases[n] = np.clip(b + ((self.moved_b[n] + up) >> (self.k + self.fine)), -32768, 32767)
            self.moved[n][:] = 0
            self.moved_b[n][:] = 0
        self.commits += 1

    def train(self, x: Ints, target: Ints, commit_every: int = 1) -> Ints:
        """Present all, commit after every ``commit_every`` and at the end. Returns I of the top layer, (n, outputs)."""
        tops = []
        for low in range(0, len(x), commit_every):
            tops.append(self.run(x[low : low + commit_every], target[low : low + commit_every]))
            self.commit()
        return np.concatenate(tops)

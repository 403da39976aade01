"""Samples per second of a 784-800-10 LIF network, 100 ticks, 5 % Bernoulli input: engine cpu against two peers in the same run.

`gemm` is what a dense float32 simulator pays: one matrix product a layer and tick over the whole batch, in NumPy.
`hand` is an int8 event-driven Numba kernel written for this network alone: near the limit of one core.
All three do the same work; spikes of `hand` and of neuroemu are compared exactly.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import numba
import numpy as np

import neuroemu as ne

N_IN, N_HIDDEN, N_OUT, TICKS, THRESHOLD, RATE = 784, 800, 10, 100, 2000, 0.05
DECAY = 256
"""Of 4096: a sixteenth a tick."""


@numba.njit(boundscheck=False, nogil=True)
def decay_add(v: np.ndarray, total: np.ndarray, fired: np.ndarray, threshold: int) -> int:
    """One layer's tick: leak towards zero, add, compare, reset; returns the number of spikes, listed in ``fired``."""
    n = 0
    for i in range(v.shape[0]):
        x = v[i]
        magnitude = abs(x) - (abs(x) + np.int32(15)) // np.int32(16)
        x = (magnitude if x >= 0 else -magnitude) + total[i]
        total[i] = 0
        if x > threshold:
            fired[n] = i
            n += 1
            x = np.int32(0)
        v[i] = x
    return n


@numba.njit(boundscheck=False, nogil=True)
def add_rows(total: np.ndarray, weight: np.ndarray, rows: np.ndarray, n: int) -> None:
    """Add ``n`` rows of weights, four a pass."""
    e = 0
    while e + 4 <= n:
        a, b, c, d = weight[rows[e]], weight[rows[e + 1]], weight[rows[e + 2]], weight[rows[e + 3]]
        for i in range(total.shape[0]):
            total[i] += a[i] + b[i] + c[i] + d[i]
        e += 4
    while e < n:
        row = weight[rows[e]]
        for i in range(total.shape[0]):
            total[i] += row[i]
        e += 1


@numba.njit(boundscheck=False, nogil=True)
def hand(x: np.ndarray, w1: np.ndarray, w2: np.ndarray, counts: np.ndarray) -> None:
    """The peer ``hand``: x of shape (samples, ticks, inputs); spikes of the outputs go into counts."""
    for b in range(x.shape[0]):
        v1, v2 = np.zeros(N_HIDDEN, np.int32), np.zeros(N_OUT, np.int32)
        t1, t2 = np.zeros(N_HIDDEN, np.int16), np.zeros(N_OUT, np.int16)
        inputs, f1, f2 = np.zeros(N_IN, np.int32), np.zeros(N_HIDDEN, np.int32), np.zeros(N_OUT, np.int32)
        for t in range(x.shape[1]):
            n = 0
            for j in range(N_IN):
                if x[b, t, j]:
                    inputs[n] = j
                    n += 1
            add_rows(t1, w1, inputs, n)
            add_rows(t2, w2, f1, decay_add(v1, t1, f1, THRESHOLD))
            for e in range(decay_add(v2, t2, f2, THRESHOLD)):
                counts[b, f2[e]] += 1


def gemm(x: np.ndarray, w1: np.ndarray, w2: np.ndarray) -> np.ndarray:
    """The peer ``gemm``: x of shape (ticks, samples, inputs), float32; returns output spike counts."""
    v1, v2 = np.zeros((x.shape[1], N_HIDDEN), np.float32), np.zeros((x.shape[1], N_OUT), np.float32)
    counts = np.zeros((x.shape[1], N_OUT))
    for row in x:
        v1 = v1 * np.float32(15 / 16) + row @ w1
        s1 = (v1 > THRESHOLD).astype(np.float32)
        v1 *= 1 - s1
        v2 = v2 * np.float32(15 / 16) + s1 @ w2
        s2 = v2 > THRESHOLD
        v2 *= ~s2
        counts += s2
    return counts


def median_rate(work: Callable[[], object], samples: int, runs: int) -> float:
    """Samples per second, median."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return samples / statistics.median(seconds)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=512, help="batch [512]")
    parser.add_argument("--runs", type=int, default=5, help="runs per row, the median is printed [5]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    w1, w2 = (
        np.clip(np.rint(rng.normal(4, 20, shape)), -127, 127).astype(np.int8)
        for shape in ((N_IN, N_HIDDEN), (N_HIDDEN, N_OUT))
    )
    x = (rng.random((TICKS, arguments.samples, N_IN), dtype=np.float32) < RATE).astype(np.uint8)
    lif = ne.Firmware("lif", {"decay_v": DECAY, "threshold": THRESHOLD})
    network = ne.Network(
        [
            ne.Population("in", N_IN, ne.HostInput()),
            ne.Population("hidden", N_HIDDEN, lif),
            ne.Population("out", N_OUT, lif),
        ],
        [ne.Projection("in", "hidden", w1), ne.Projection("hidden", "out", w2)],
        outputs=["out"],
    )
    image = ne.compile(network, ne.load_chip("generic45"))
    events = ne.stimulus(x, {"in": N_IN})
    by_sample, floats = np.ascontiguousarray(x.transpose(1, 0, 2)), x.astype(np.float32)
    counts = np.zeros((arguments.samples, N_OUT), np.int64)
    hand(by_sample[:1], w1, w2, counts[:1].copy())
    first = ne.run(image, events, workers=1)
    hand(by_sample, w1, w2, counts)
    assert counts.sum() > 0
    assert np.array_equal(first.spike_counts("out"), counts), "the hand-written kernel and neuroemu disagree"
    f1, f2 = w1.astype(np.float32), w2.astype(np.float32)
    rows = {
        "neuroemu cpu, 1 worker": lambda: ne.run(image, events, workers=1),
        f"neuroemu cpu, {os.cpu_count()} workers": lambda: ne.run(image, events),
        "hand-written int8 kernel, 1 thread": lambda: hand(by_sample, w1, w2, counts),
        "NumPy float32 GEMM, all threads": lambda: gemm(floats, f1, f2),
    }
    rates = {name: median_rate(work, arguments.samples, arguments.runs) for name, work in rows.items()}
    if arguments.json:
        print(json.dumps(rates | {"kernel_compile_s": first.compile_s}, indent=1))
        return
    synops = first.counts["synop"] / arguments.samples / 1e6
    print(f"784-800-10 LIF, {TICKS} ticks, {arguments.samples} samples, {synops:.2f} M synops a sample")
    base = rates["neuroemu cpu, 1 worker"]
    for name, rate in rates.items():
        print(f"{name:38}{rate:9.0f} samples/s  {rate / base:5.2f}x")
    print(f"kernel compiled or loaded in {first.compile_s:.2f} s")


if __name__ == "__main__":
    main()

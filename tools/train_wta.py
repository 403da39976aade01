"""Train a winner-take-all population without labels (firmware/rules/wta_stdp.py), label its neurons, and count what it gets right.

Pixels become periodic spike trains with jitter: a full pixel sends --spikes a presentation, the first after a random part of its
period. Nothing is reset between samples. Labels come afterwards, with learning off: a neuron gets the class it answers most often to.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

import numpy as np

import neuroemu as ne
from neuroemu.dataset import load_dataset

JITTER = 0.2
"""Every period of a train differs from the mean by at most this share."""
AT_ONCE_TICKS = 1 << 15
"""Ticks of all presentations that are run at a time."""


def samples(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Training values (n, features) and labels, those for testing, and the value of a full pixel."""
    parts = load_dataset(name)
    arrays = [array for part in parts for array in (part.inputs.reshape(len(part), -1), part.labels)]
    return arrays[0], arrays[1], arrays[2], arrays[3], parts[0].top


def trains(values: np.ndarray, spikes: float, top: int, rng: np.random.Generator) -> np.ndarray:
    """Times of periodic spikes with jitter, shape (samples, features, most): a pixel x has about spikes * x / top of them in 0..1."""
    rate = spikes * values[..., None].astype(np.float64) / top
    most = int(np.ceil(spikes / (1 - JITTER))) + 2
    intervals = rng.uniform(1 - JITTER, 1 + JITTER, (*values.shape, most))
    intervals[..., 0] = rng.random(values.shape)
    with np.errstate(divide="ignore"):
        return np.cumsum(intervals, axis=-1) / rate


def raster(times: np.ndarray, ticks: int) -> np.ndarray:
    """Spike trains of shape (ticks, samples, features)."""
    sample, feature, spike = np.nonzero(times < 1)
    dense = np.zeros((ticks, *times.shape[:2]), np.int8)
    dense[(times[sample, feature, spike] * ticks).astype(int), sample, feature] = 1
    return dense


def network(features: int, neurons: int, seed: int, options: dict[str, float]) -> ne.Network:
    """Inputs and the competitive population."""
    plain = ne.Network(
        [
            ne.Population("in", features, ne.HostInput()),
            ne.Population("out", neurons, ne.Firmware("if", {"threshold": 1})),
        ],
        [ne.Projection("in", "out", np.zeros((features, neurons)), "p")],
        outputs=["out"],
    )
    return ne.wire(plain, "wta_stdp", seed=seed, **options)


def train(arguments: argparse.Namespace, seed: int) -> dict[str, float]:
    """One training: accuracy, and what it took."""
    x, y, x_test, y_test, top = samples(arguments.data)
    options = {name: getattr(arguments, name) for name in ("theta", "alpha", "ratio")}
    image = ne.compile(network(x.shape[1], arguments.neurons, seed, options), ne.load_chip(arguments.chip))
    at_once = max(1, AT_ONCE_TICKS // arguments.ticks)
    memory, first, learning, last = ne.Memory(), 0, 0.0, None

    def parts(times: np.ndarray) -> Iterator[ne.Stimulus]:
        for low in range(0, len(times), at_once):
            dense = raster(times[low : low + at_once], arguments.ticks)
            yield ne.stimulus(dense, {"in": x.shape[1]}, first=first + low)

    for epoch in range(arguments.epochs):
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(y))
        for events in parts(trains(x[order], arguments.spikes, top, rng)):
            last = ne.run(image, events, plastic=True, seed=seed, start=memory, commit_every=at_once)
            memory, learning = last.memory, learning + last.wall_s
        first += len(y)
    counts = []
    for number, values in enumerate((x, x_test)):
        times = trains(values, arguments.spikes, top, np.random.default_rng([seed, 1 << 20, number]))
        done = [ne.run(image, events, seed=seed, start=memory).spike_counts("out") for events in parts(times)]
        counts.append(np.concatenate(done))
    neuron_labels = ne.label_neurons(counts[0], y, int(y.max()) + 1)
    weights = memory.weights["p"]
    result = {
        "seed": seed,
        "accuracy": float((ne.vote(counts[1], neuron_labels) == y_test).mean()),
        "labelled": int((neuron_labels >= 0).sum()),
        "spikes": float(counts[1].sum(axis=1).mean()),
        "near_0": float((weights < 26).mean()),
        "near_255": float((weights > 229).mean()),
        "samples_per_s": first / learning,
    }
    if last is not None:
        priced = ne.report(last)
        result |= {
            "energy_pj": priced.total_fj / last.n / 1000,
            "learning_pj": priced.by_part["learning"] / last.n / 1000,
        }
    return result


def main() -> None:
    """Train with every seed and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", default="digits", help="digits, fashion-mnist, mnist, or a path [digits]")
    parser.add_argument("--neurons", type=int, default=100, help="[100]")
    parser.add_argument("--epochs", type=int, default=5, help="[5]")
    parser.add_argument("--ticks", type=int, default=128, help="of a presentation [128]")
    parser.add_argument("--spikes", type=float, default=20.0, help="of a full pixel in a presentation [20]")
    parser.add_argument("--theta", type=float, default=10.0, help="both thresholds, in weights of 1 [10]")
    parser.add_argument("--alpha", type=float, default=0.04, help="largest rise of a weight of 0..1 [0.04]")
    parser.add_argument("--ratio", type=float, default=8.0, help="largest rise over largest fall [8]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="[0]")
    parser.add_argument("--chip", default="atlas", help="[atlas]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows = []
    for seed in arguments.seeds:
        rows.append(train(arguments, seed))
        if not arguments.json:
            print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in rows[-1].items()))
    mean = float(np.mean([row["accuracy"] for row in rows]))
    if arguments.json:
        print(json.dumps({"runs": rows, "mean_accuracy": mean}, indent=1))
    elif len(rows) > 1:
        print(f"mean accuracy {mean:.4f} of {len(rows)} seeds")


if __name__ == "__main__":
    main()

"""Train a winner-take-all population without labels (firmware/rules/wta_stdp.py), read it out, and count what it gets right.

Pixels become periodic spike trains with jitter: a full pixel sends --spikes a presentation, the first after a random part of its
period; --ticks stretches the same trains. Nothing is reset between samples. Two read-outs come afterwards, with the layer's weights
frozen: `vote` gives a neuron the class it answers most often to, `classifier` (firmware/rules/event_classifier.py) puts ten neurons
on top, which learn from the layer's spikes while the host tells the class. The networks that are tested hold no rule at all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import neuroemu as ne
from neuroemu.learning.dataset import load_dataset
from neuroemu.network.stimulus import Events

JITTER = 0.2
"""Every period of a train differs from the mean by at most this share."""
AT_ONCE = 64
"""Presentations that are encoded and run at a time."""
Samples = tuple[np.ndarray, np.ndarray]
"""Values (n, features) and labels (n,)."""


def samples(name: str) -> tuple[Samples, Samples, int]:
    """What to train and what to test with, and the value of a full pixel."""
    train, test = load_dataset(name)
    first, second = ((part.inputs.reshape(len(part), -1), part.labels.astype(int)) for part in (train, test))
    return first, second, train.top


def trains(values: np.ndarray, spikes: float, top: int, rng: np.random.Generator) -> np.ndarray:
    """Times of periodic spikes with jitter, shape (samples, features, most): a pixel x has about spikes * x / top of them in 0..1."""
    rate = spikes * values[..., None].astype(np.float64) / top
    most = int(np.ceil(spikes / (1 - JITTER))) + 2
    intervals = rng.uniform(1 - JITTER, 1 + JITTER, (*values.shape, most))
    intervals[..., 0] = rng.random(values.shape)
    with np.errstate(divide="ignore"):
        return np.cumsum(intervals, axis=-1) / rate


def packets(times: np.ndarray, ticks: int, first: int) -> ne.Stimulus:
    """Spike trains as packets: a time of 0..1 is row times * ticks, rounded down. Other ticks stretch the same trains."""
    n, features, _ = times.shape
    sample, feature, spike = np.nonzero(times < 1)
    row = (times[sample, feature, spike] * ticks).astype(np.int64)
    place = np.unique((sample * ticks + row) * features + feature)
    indptr = np.searchsorted(place // features, np.arange(n)[:, None] * ticks + np.arange(ticks + 1))
    events = Events(indptr, (place % features).astype(np.int32), np.ones(place.size, np.int32))
    return ne.Stimulus(ticks, n, {"in": events}, first=first)


def features(n: int, neurons: int) -> ne.Network:
    """Inputs and the layer that is to compete, without weights."""
    return ne.Network(
        [
            ne.Population("in", n, ne.HostInput()),
            ne.Population("layer", neurons, ne.Firmware("if", {"threshold": 1})),
        ],
        [ne.Projection("in", "layer", np.zeros((n, neurons)), "p")],
        outputs=["layer"],
    )


def frozen(network: ne.Network, memory: ne.Memory) -> ne.Network:
    """The network with the memory's weights and no rule: no label can get in, and its accumulators still go on from sample to sample."""
    held = {name: weight.reshape(network.projection(name).weight.shape) for name, weight in memory.weights.items()}
    projections = tuple(
        replace(p, rule=None, params={}, weight=held.get(p.label, p.weight)) for p in network.projections
    )
    return replace(network, projections=projections, modulators=())


class Trial:
    """One seed: the data, and how presentations are made of them."""

    def __init__(self, arguments: argparse.Namespace, seed: int) -> None:
        self.how, self.seed = arguments, seed
        self.chip = ne.load_chip(arguments.chip)
        self.train, self.test, self.top = samples(arguments.data)
        self.n_classes = int(self.train[1].max()) + 1

    def parts(
        self, of: Samples, draw: tuple[int, ...], first: int = 0, told: str = "", ticks: int = 0
    ) -> Iterator[ne.Stimulus]:
        """Packets of the samples, AT_ONCE at a time; population ``told`` gets 1 for the right class. ``ticks`` if not --ticks."""
        values, labels = of
        rng = np.random.default_rng([self.seed, *draw])
        for low in range(0, len(values), AT_ONCE):
            part = slice(low, low + AT_ONCE)
            events = packets(trains(values[part], self.how.spikes, self.top, rng), ticks or self.how.ticks, first + low)
            right = {told: (labels[part, None] == np.arange(self.n_classes)).astype(int)} if told else {}
            yield replace(events, values=right)

    def learn(self, network: ne.Network, epochs: int, stage: int, told: str = "") -> tuple[ne.Memory, dict[str, Any]]:
        """Train for some epochs: what the chip remembers, the image, speed, and the price of the last presentations."""
        image, memory, seconds, run = ne.compile(network, self.chip), ne.Memory(), 0.0, None
        x, y = self.train
        for epoch in range(epochs):
            order = np.random.default_rng([self.seed, stage, epoch]).permutation(len(y))
            for events in self.parts((x[order], y[order]), (stage, epoch, 1), epoch * len(y), told):
                run = ne.run(image, events, plastic=True, seed=self.seed, start=memory, commit_every=AT_ONCE)
                memory, seconds = run.memory, seconds + run.wall_s
        found: dict[str, Any] = {"image": image.digest, "memory": memory.digest}
        if run is not None:
            priced = ne.report(run)
            found |= {"samples_per_s": round(epochs * len(y) / seconds), "energy_pj": priced.total_fj / run.n / 1000}
            found["learning_pj"] = priced.by_part["learning"] / run.n / 1000
        return memory, found

    def answers(
        self, network: ne.Network, draw: int, register: tuple[str, str] | None = None, ticks: int = 0
    ) -> np.ndarray:
        """The output's spike counts, or a register at the end, (samples, neurons), for the training samples (draw 0) or the test's (1)."""
        image, memory, found = ne.compile(network, self.chip), ne.Memory(), []
        for events in self.parts((self.train, self.test)[draw], (9, draw), ticks=ticks):
            run = ne.run(image, events, plastic=True, seed=self.seed, start=memory)  # no rule in it: nothing is learned
            memory = run.memory
            found.append(run.spike_counts(network.outputs[0]) if register is None else run.probes[register][:, -1])
        return np.concatenate(found)

    def layer(self) -> tuple[ne.Network, dict[str, Any]]:
        """The layer, trained and frozen."""
        options = {name: getattr(self.how, name) for name in ("theta", "alpha", "ratio")}
        wired = ne.wire(features(self.train[0].shape[1], self.how.neurons), "wta_stdp", seed=self.seed, **options)
        memory, found = self.learn(wired, self.how.epochs, 0)
        found |= {
            "near_0": float((memory.weights["p"] < 26).mean()),
            "near_255": float((memory.weights["p"] > 229).mean()),
        }
        return frozen(wired, memory), found

    def vote(self, layer: ne.Network) -> dict[str, Any]:
        """Neurons labelled by the training samples, and how often the most active one is right about the others."""
        labels = ne.label_neurons(self.answers(layer, 0), self.train[1], self.n_classes)
        counts = {ticks: self.answers(layer, 1, ticks=ticks) for ticks in {self.how.ticks, *self.how.test_ticks}}
        right = {ticks: float((ne.vote(found, labels) == self.test[1]).mean()) for ticks, found in counts.items()}
        found = {"accuracy": right[self.how.ticks], "labelled": int((labels >= 0).sum())}
        found["spikes"] = float(counts[self.how.ticks].sum(axis=1).mean())
        return found | ({"tested_at": right} if self.how.test_ticks else {})

    def classifier(self, layer: ne.Network) -> dict[str, Any]:
        """Ten neurons learned on top of the layer, and how often the one of most spikes is right."""
        classes = ne.Population("classes", self.n_classes, ne.Firmware("if", {"threshold": 1}))
        weight = np.zeros((self.how.neurons, self.n_classes))
        network = replace(layer.add(classes, ne.Projection("layer", "classes", weight, "c")), outputs=("classes",))
        options = {name: getattr(self.how, name) for name in ("eta", "momentum", "mean")}
        wired = ne.wire(network, "event_classifier", projections=["c"], seed=self.seed, **options)
        memory, found = self.learn(wired, self.how.classifier_epochs, 1, told="classes")
        scores = self.answers(frozen(wired, memory), 1, ("classes", "score"))
        right = float((scores.argmax(axis=1) == self.test[1]).mean())
        return {"accuracy": right, "classifier": found, "spikes": float((scores >> 16).sum(axis=1).mean())}

    def run(self) -> dict[str, Any]:
        """All of it."""
        layer, found = self.layer()
        read = self.vote(layer) if self.how.readout == "vote" else self.classifier(layer)
        return {"seed": self.seed, **read, **found}


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument("--data", default="digits", help="digits, fashion-mnist, mnist, or a path [digits]")
    made.add_argument("--readout", choices=["vote", "classifier"], default="vote", help="[vote]")
    made.add_argument("--neurons", type=int, default=100, help="[100]")
    made.add_argument("--epochs", type=int, default=5, help="of the layer [5]")
    made.add_argument(
        "--ticks", type=int, nargs="+", default=[128], help="of a presentation; several: one table row each [128]"
    )
    made.add_argument("--test-ticks", type=int, nargs="*", default=[], help="test the vote at these ticks too [none]")
    made.add_argument("--spikes", type=float, default=20.0, help="of a full pixel in a presentation [20]")
    made.add_argument("--theta", type=float, default=10.0, help="both thresholds, in weights of 1 [10]")
    made.add_argument("--alpha", type=float, default=0.04, help="largest rise of a weight of 0..1 [0.04]")
    made.add_argument("--ratio", type=float, default=8.0, help="largest rise over largest fall [8]")
    made.add_argument("--eta", type=float, default=0.003, help="of the classifier, for a threshold of 1 [0.003]")
    made.add_argument("--momentum", type=float, default=0.5, help="of the classifier's error, m [0.5]")
    made.add_argument("--mean", type=float, default=0.1, help="of the classifier's weights at the start [0.1]")
    made.add_argument("--classifier-epochs", type=int, default=3, help="[3]")
    made.add_argument("--seeds", type=int, nargs="+", default=[0], help="[0]")
    made.add_argument("--chip", default="atlas", help="[atlas]")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def main() -> None:
    """Train with every seed, at every number of ticks, and print a table."""
    arguments = parser().parse_args()
    rows = []
    for ticks in arguments.ticks:
        for seed in arguments.seeds:
            row = {"ticks": ticks, **Trial(argparse.Namespace(**{**vars(arguments), "ticks": ticks}), seed).run()}
            rows.append(row)
            if not arguments.json:
                print(
                    "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()),
                    flush=True,
                )
    means = {t: float(np.mean([row["accuracy"] for row in rows if row["ticks"] == t])) for t in arguments.ticks}
    if arguments.json:
        result: dict[str, Any] = {"readout": arguments.readout, "seeds": arguments.seeds, "runs": rows}
        print(json.dumps(result | {"mean_accuracy": means[arguments.ticks[0]], "mean_by_ticks": means}, indent=1))
    else:
        for ticks, mean in means.items():
            print(f"{ticks} ticks: mean accuracy {mean:.4f} of {len(arguments.seeds)} seeds")
            for other in arguments.test_ticks if arguments.readout == "vote" else ():
                tested = [row["tested_at"][other] for row in rows if row["ticks"] == ticks]
                print(f"  tested at {other} ticks: {float(np.mean(tested)):.4f}")


if __name__ == "__main__":
    main()

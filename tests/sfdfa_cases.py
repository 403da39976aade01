"""Small chains that learn by SFDFA, and what they are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import neuroemu as ne
from neuroemu.learning.samples import Encode
from neuroemu.network.stimulus import Events

SMALL = {
    "ticks": 24,
    "k": 4,
    "threshold": 0.3,
    "output_threshold": 0.3,
    "rate": 5,
    "output_rate": 6,
    "feedback_rate": 4,
}


def network(sizes: tuple[int, ...], **options: object) -> ne.Network:
    """A chain of plain populations, wired with the rule."""
    names = ["in", *(f"h{number}" for number in range(1, len(sizes) - 1)), "out"]
    neurons = [ne.HostInput(), *(ne.IF() for _ in sizes[1:])]
    plain = ne.Network(
        [ne.Population(name, n, neuron) for name, n, neuron in zip(names, sizes, neurons, strict=True)],
        [
            ne.Projection(names[k], names[k + 1], np.zeros((sizes[k], sizes[k + 1])), f"w{k + 1}")
            for k in range(len(sizes) - 1)
        ],
        outputs=["out"],
    )
    return ne.wire(plain, "sfdfa", **options)


def image(sizes: tuple[int, ...], **options: object) -> ne.Image:
    """The wired chain on atlas."""
    return ne.compile(network(sizes, **options), ne.load_chip("atlas"), align=False)


def first_spikes(top: int, window: int, ticks: int) -> Encode:
    """Time to first spike: brightness 1..top in rows window - 1 to 0."""

    def encode(values: np.ndarray, first: int) -> ne.Stimulus:
        sample, neuron = np.nonzero(values)
        place = sample * ticks + window * (top - values[sample, neuron]) // top
        order = np.argsort(place, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(values) * ticks))])
        indptr = ends[np.arange(len(values))[:, None] * ticks + np.arange(ticks + 1)]
        events = Events(indptr, neuron[order].astype(np.int32), np.ones(neuron.size, np.int32))
        return ne.Stimulus(ticks, len(values), {"in": events}, first=first)

    return encode


def small(n: int = 32) -> tuple[np.ndarray, np.ndarray, ne.Stimulus]:
    """Images of 12 pixels, their classes of 4, and what a run is given."""
    rng = np.random.default_rng(5)
    values, labels = rng.integers(0, 17, (n, 12)), rng.integers(0, 4, n)
    stimulus = first_spikes(16, 16, 24)(values, 0)
    return values, labels, replace(stimulus, values={"out": np.eye(4, dtype=np.int64)[labels]})

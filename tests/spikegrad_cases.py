"""Networks that SpikeGrad learns, the oracle's twin of each, and random weights: for the tests of its two modes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import spikegrad_oracle as oracle
from cases import Rng

import neuroemu as ne
from neuroemu.compiler.place import Placement

RULE = Path(__file__).parent.parent / "firmware" / "rules" / "spikegrad.py"
SMALL = (6, 5, 4, 3)
"""Sizes of the net that compiled tests share, and with them a kernel."""
OPTIONS = {"f": 8, "k": 6, "alpha": 32}


def network(sizes: tuple[int, ...], rule: str | Path = "spikegrad", **options: object) -> ne.Network:
    """A chain of layers `in`, `h1`..., `out`, wired."""
    names = ["in", *(f"h{n}" for n in range(1, len(sizes) - 1)), "out"]
    populations = [
        ne.Population(name, size, ne.HostInput() if name == "in" else ne.Firmware("if"))
        for name, size in zip(names, sizes, strict=True)
    ]
    chain = [ne.Projection(a.name, b.name, np.zeros((a.n, b.n))) for a, b in pairwise(populations)]
    return ne.wire(ne.Network(populations, chain, outputs=["out"]), rule, **(OPTIONS | options))


def compiled(net: ne.Network, placement: Placement | None = None) -> ne.Image:
    """The network on atlas."""
    return ne.compile(net, ne.load_chip("atlas"), align=False, placement=placement)


def told(x: np.ndarray, labels: np.ndarray, n_out: int, first: int = 0) -> tuple[ne.Stimulus, np.ndarray]:
    """Input of shape (rows, n, inputs) with its one-hot targets, and these."""
    target = np.eye(n_out, dtype=np.int64)[labels]
    return ne.stimulus({"in": x}, {"in": x.shape[2]}, values={"out": target}, first=first), target


def twin(net: ne.Network, image: ne.Image, seed: int = 0, momentum: int = 0) -> oracle.Network:
    """The oracle of a wired network: its weights, and of its image only the ids that random numbers depend on."""
    learned = [p for p in net.projections if p.rule and p.rule.endswith(".synapse") and p.mirror is None]
    hidden, output = net.population("h1").neuron, net.population("out").neuron
    assert isinstance(hidden, ne.Firmware)
    assert isinstance(output, ne.Firmware)
    view = learned[0].view
    ids = {p.name: min(int(part.ids.min()) for part in p.parts if part.ids.size) for p in image.projections}
    return oracle.Network(
        [np.asarray(p.weight, np.int64) for p in learned],
        [np.zeros(net.population(p.post).n, np.int64) for p in learned],
        int(hidden.params["f"]),
        int(hidden.params["k"]) - (view.shift if view else 0),
        int(output.params["alpha"]),
        int(hidden.params.get("s_max", 32767)),
        momentum,
        seed,
        view.shift if view else 0,
        view.bits if view else 8,
        [ids[p.label] for p in learned],
        [image.population(p.post).id0 for p in learned],
    )


def drawn(rng: Rng, sizes: tuple[int, ...], n: int) -> tuple[ne.Stimulus, np.ndarray, np.ndarray]:
    """n presentations of signed graded input with random labels: the stimulus, the inputs and the one-hot targets."""
    x = rng.integers(-4, 12, (1, n, sizes[0]))
    events, target = told(x, rng.integers(0, sizes[-1], n), sizes[-1])
    return events, x[0], target


def layers_of(sizes: tuple[int, ...]) -> list[str]:
    return [*(f"h{n}" for n in range(1, len(sizes) - 1)), "out"]


def same_weights(done: ne.Run, other: oracle.Network, sizes: tuple[int, ...]) -> bool:
    """Weights, their mirrored copies and biases, bit for bit."""
    names = ["in", *layers_of(sizes)]
    equal = True
    for n, (pre, post) in enumerate(pairwise(names)):
        label = f"{pre}->{post}"
        equal &= np.array_equal(done.weights[label], other.weights[n].ravel())
        equal &= np.array_equal(done.state[f"{post}.bias"], other.biases[n])
        if n:
            equal &= np.array_equal(done.weights[label], done.weights[f"{label}.back"])
    return equal


SHAPES = ((5, 6, 3), (4, 5, 4, 2), (3, 3, 3, 3, 3))
N_NETS = 340


def random_net(
    rng: Rng, sizes: tuple[int, ...], threshold: int
) -> tuple[ne.Memory, list[np.ndarray], list[np.ndarray]]:
    """Weights and biases of one random net as a memory: small, past the threshold, or multiples of half of it (ties)."""
    kind = rng.integers(0, 3)
    scale = (0.05, 1.6, 1)[kind] * threshold
    names = ["in", *layers_of(sizes)]
    weights, registers, ws, bs = {}, {}, [], []
    for n, (pre, post) in enumerate(pairwise(names)):
        w, b = rng.normal(0, scale, (sizes[n], sizes[n + 1])), rng.normal(0, scale, sizes[n + 1])
        if kind == 2:
            w, b = (np.rint(a / threshold) * (threshold // 2) for a in (w, b))
        ws.append(np.rint(w).astype(np.int64))
        bs.append(np.rint(b).astype(np.int64))
        weights[f"{pre}->{post}"] = ws[-1].ravel()
        if n:
            weights[f"{pre}->{post}.back"] = ws[-1].ravel()
        registers[f"{post}.bias"] = bs[-1]
    return ne.Memory(weights, registers), ws, bs

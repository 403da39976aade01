"""Networks that every engine must run alike: drawn at random, small, and alive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import neuroemu as ne
from neuroemu.place import Placement

FIRMWARE = Path(__file__).parent / "firmware"
Rng = np.random.Generator


@dataclass(frozen=True)
class Case:
    """A network, the chip it is for, its input and how it is run."""

    network: ne.Network
    chip: str
    inputs: np.ndarray
    values: dict[str, np.ndarray] | None = None
    plastic: bool = False
    commit_every: int = 1
    must_move: tuple[str, ...] = ()
    """Projections whose weights must change, or the case shows nothing."""

    def stimulus(self) -> ne.Stimulus:
        """The case's events."""
        sizes = {p.name: p.n for p in self.network.populations if isinstance(p.neuron, ne.HostInput)}
        return ne.stimulus({next(iter(sizes)): self.inputs}, sizes, values=self.values)

    def image(self, placement: Placement | None = None) -> ne.Image:
        """The compiled case."""
        return ne.compile(self.network, ne.load_chip(self.chip), placement=placement)


def firmware(name: str) -> str:
    """Path of a test program."""
    return str(FIRMWARE / f"{name}.py")


def spikes(rng: Rng, rows: int, n: int, neurons: int, rate: float = 0.3) -> np.ndarray:
    """Bernoulli input, shape (rows, presentations, neurons)."""
    return (rng.random((rows, n, neurons)) < rate).astype(np.int64)


def layered(rng: Rng, chip: str = "loihi1", **conventions: str) -> Case:
    """Two layers of float LIF neurons with biases, dense; every reset and comparison that the chip has."""
    hidden = ne.LIF(
        tau=rng.uniform(5e-4, 3e-3, 12), r=1.0, v_threshold=rng.uniform(0.02, 0.05, 12), bias=rng.normal(0, 0.05, 12)
    )
    out = ne.LIF(tau=1e-3, r=1.0, v_threshold=0.05, v_leak=0.01)
    network = ne.Network(
        [ne.Population("in", 16, ne.HostInput()), ne.Population("hidden", 12, hidden), ne.Population("out", 5, out)],
        [
            ne.Projection("in", "hidden", rng.normal(0.1, 0.3, (16, 12))),
            ne.Projection("hidden", "out", rng.normal(0.2, 0.4, (12, 5))),
        ],
        outputs=["out"],
        probes=[("hidden", "v"), ("out", "v")],
        conventions=ne.Conventions(**conventions),  # type: ignore[arg-type]
    )
    return Case(network, chip, spikes(rng, 15, 4, 16))


def current_based(rng: Rng, chip: str = "generic45") -> Case:
    """Current-based LIF neurons into a leaky integrator read-out, with a current's bias."""
    hidden = ne.CubaLIF(tau_syn=5e-4, tau_mem=rng.uniform(1e-3, 2e-3, 9), v_threshold=0.02, bias=rng.normal(0, 0.05, 9))
    network = ne.Network(
        [
            ne.Population("in", (2, 6), ne.HostInput()),
            ne.Population("hidden", (3, 3), hidden),
            ne.Population("out", 4, ne.CubaLI(5e-4, 1e-3)),
        ],
        [
            ne.Projection("in", "hidden", rng.normal(0.2, 0.5, (12, 9))),
            ne.Projection("hidden", "out", rng.normal(0, 1, (9, 4))),
        ],
        outputs=["out"],
        probes=[("hidden", "u")],
    )
    return Case(network, chip, spikes(rng, 14, 3, 12))


def delayed(rng: Rng, chip: str = "generic45") -> Case:
    """Sparse, recurrent, with many delays, a skip connection and a loop over two populations."""
    n_in, n_a, n_b = 14, 11, 8

    def lists(n_pre: int, n_post: int, deepest: int) -> ne.Sparse:
        pre, post = np.nonzero(rng.random((n_pre, n_post)) < 0.5)
        return ne.Sparse(pre, post, rng.integers(-40, 90, pre.size), rng.integers(0, deepest + 1, pre.size))

    lif = ne.Firmware(
        "lif", {"decay_v": rng.integers(0, 4097, n_a), "threshold": 128, "bias": rng.integers(-5, 20, n_a)}
    )
    network = ne.Network(
        [ne.Population("in", n_in, ne.HostInput()), ne.Population("a", n_a, lif),
         ne.Population("b", n_b, ne.Firmware("if", {"threshold": 192}))],
        [
            ne.Projection("in", "a", lists(n_in, n_a, 4)),
            ne.Projection("a", "b", lists(n_a, n_b, 2)),
            ne.Projection("in", "b", lists(n_in, n_b, 0), name="skip"),
            ne.Projection("a", "a", lists(n_a, n_a, 3), name="self"),
            ne.Projection("b", "a", lists(n_b, n_a, 1), name="back"),
        ],
        outputs=["b", "a"],
    )  # fmt: skip
    return Case(network, chip, spikes(rng, 16, 4, n_in, 0.4))


def graded(rng: Rng, chip: str = "generic45") -> Case:
    """Every neuron hook, payloads on two channels, modulation, phases; a rule with every synapse hook, changed at the commit."""
    n_in, n_h = 9, 7
    params = {"threshold": rng.integers(20, 60, n_h), "decay": 400, "curve": np.arange(16) - 5}
    network = ne.Network(
        [ne.Population("in", n_in, ne.HostInput()), ne.Population("h", n_h, ne.Firmware(firmware("chatty"), params))],
        [
            ne.Projection("in", "h", rng.integers(-3, 8, (n_in, n_h)), "p", delay=rng.integers(0, 4, (n_in, n_h)),
                          rule=firmware("deferred"), params={"rate": 6}, routes={"input": [("drive", "weight*payload")]}),
            ne.Projection("h", "h", rng.integers(-2, 3, (n_h, n_h)), "rec", delay=2,
                          routes={"spike": [("side", "weight*payload"), ("drive", "weight")], "error": [("side", "weight")]}),
        ],
        outputs=["h"],
        probes=[("h", "v"), ("h", "spent")],
        phases=[ne.Phase(0, 12), ne.Phase(3, 5, learning=True)],
        modulators=[ne.Modulator("h", 9)],
    )  # fmt: skip
    inputs = spikes(rng, 10, 5, n_in) * rng.integers(1, 4, (10, 5, n_in))
    return Case(network, chip, inputs, {"h": rng.integers(-20, 20, (5, n_h))}, True, 2, ("p",))


def online(rng: Rng, chip: str = "generic45") -> Case:
    """Weights that change at once, axon flags that a firing clears and that survive presentations; one core for the post side."""
    n_in, n_out = 10, 6
    network = ne.Network(
        [
            ne.Population("in", n_in, ne.HostInput()),
            ne.Population("out", n_out, ne.Firmware("lif", {"decay_v": 256, "threshold": 90})),
        ],
        [
            ne.Projection(
                "in",
                "out",
                rng.integers(-10, 40, (n_in, n_out)),
                "p",
                rule=firmware("online"),
                params={"down": 20, "up": 30},
            )
        ],
        outputs=["out"],
        phases=[ne.Phase(0, 20)],
    )
    return Case(network, chip, spikes(rng, 18, 4, n_in), plastic=True, commit_every=3, must_move=("p",))


def rivals(rng: Rng, chip: str = "generic45") -> Case:
    """Winner-take-all in two groups and on two flags; a mirrored projection carries the spikes back."""
    n_in, n = 12, 8
    weight = rng.integers(1, 12, (n_in, n))
    network = ne.Network(
        [
            ne.Population("in", n_in, ne.Firmware("if", {"threshold": 4})),
            ne.Population("source", n_in, ne.HostInput()),
            ne.Population("win", n, ne.Firmware(firmware("rival"), {"threshold": 60}), compete={"fire": "v_learn", "spike": "v_send"},
                          groups=[0, 0, 0, 1, 1, 1, 1, 1]),
        ],
        [
            ne.Projection("source", "in", np.eye(n_in) * 5, "one"),
            ne.Projection("in", "win", weight, "up", rule=firmware("deferred_plain"), params={"rate": 3}),
            ne.Projection("win", "in", weight.T, "down", rule=firmware("deferred_plain"), params={"rate": 3}, mirror="up"),
        ],
        outputs=["win"],
        phases=[ne.Phase(1, 16)],
    )  # fmt: skip
    return Case(network, chip, spikes(rng, 14, 4, n_in, 0.5), plastic=True, commit_every=4, must_move=("up", "down"))


CASES: dict[str, Callable[[Rng], Case]] = {
    "layered": layered,
    "layered_subtract_next_inclusive": lambda rng: layered(
        rng, "generic45", reset="subtract", reset_timing="next", compare=">="
    ),
    "current_based": current_based,
    "delayed": delayed,
    "graded": graded,
    "online": online,
    "rivals": rivals,
}
"""Families of networks: drawing again from one gives other numbers, and the same kernel."""


def random_placement(rng: Rng, image: ne.Image, n_cores: int) -> Placement:
    """Cut every population that may be cut into random pieces on random cores."""
    placement = {}
    for population in image.populations:
        if population.is_host:
            continue
        whole = population.groups is not None or any(
            p.post == image.populations.index(population) and p.program and "online" in p.program
            for p in image.projections
        )
        cuts = (
            []
            if whole
            else sorted(rng.choice(np.arange(1, population.n), rng.integers(0, min(4, population.n)), replace=False))
        )
        edges = [0, *(int(cut) for cut in cuts), population.n]
        cores = rng.integers(0, n_cores, len(edges) - 1)
        placement[population.name] = [
            (int(core), high - low) for core, low, high in zip(cores, edges, edges[1:], strict=False)
        ]
    return placement

"""Every shipped rule, 200 presentations: the same weights on every engine, in any placement, after a cut, on any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cases import random_placement

import neuroemu as ne
from neuroemu.engines.available import runnable

N, CUT, SEED = 200, 78, 11
RULES = Path(__file__).parent.parent / "firmware" / "rules"


@dataclass(frozen=True)
class Case:
    """A wired network, what it is shown, after how many presentations it commits, and whether order within a commit matters."""

    network: ne.Network
    stimulus: ne.Stimulus
    commit_every: int
    sequential: bool = False


def chain(sizes: tuple[int, ...]) -> ne.Network:
    """Layers of plain neurons, which a rule replaces: in, h1..., out."""
    names = ["in", *(f"h{n}" for n in range(1, len(sizes) - 1)), "out"]
    neurons = [ne.HostInput(), *(ne.Firmware("if", {"threshold": 1}) for _ in sizes[1:])]
    populations = [ne.Population(name, n, neuron) for name, n, neuron in zip(names, sizes, neurons, strict=True)]
    return ne.Network(
        populations,
        [ne.Projection(a.name, b.name, np.zeros((a.n, b.n))) for a, b in pairwise(populations)],
        outputs=["out"],
    )


def samples(features: int, classes: int, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy prototypes (N, features) of 0..top, and their labels."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, classes, N)
    noisy = rng.integers(0, top + 1, (classes, features))[labels] + rng.integers(-2, 3, (N, features))
    return np.clip(noisy, 0, top), labels


def told(stimulus: ne.Stimulus, labels: np.ndarray, classes: int) -> ne.Stimulus:
    values = {"out": np.eye(classes, dtype=np.int64)[labels]}
    return ne.Stimulus(stimulus.rows, stimulus.n, stimulus.events, values, stimulus.first)


def sfdfa() -> Case:
    options = {
        "ticks": 20,
        "k": 4,
        "threshold": 0.3,
        "output_threshold": 0.3,
        "rate": 5,
        "output_rate": 6,
        "feedback_rate": 4,
    }
    x, labels = samples(8, 3, 16)
    stimulus = ne.encode.ttfs(x, ticks=20, top=16, name="in", window=14)
    return Case(ne.wire(chain((8, 6, 3)), "sfdfa", seed=2, **options), told(stimulus, labels, 3), 4)


def spike_grad(rule: str) -> Case:
    x, labels = samples(6, 3, 9)
    stimulus = ne.stimulus({"in": x[None]}, {"in": 6})
    return Case(ne.wire(chain((6, 5, 4, 3)), rule, f=8, k=6, alpha=32), told(stimulus, labels, 3), 4)


def unlabelled(rule: str, **options: object) -> Case:
    x, _ = samples(8, 3, 9)
    rng = np.random.default_rng(5)
    network = chain((8, 5))
    if rule == "stdp":
        neuron = ne.Firmware("lif", {"decay_v": 512, "threshold": 320})
        weight = rng.integers(20, 120, (8, 5))
        network = ne.Network(
            [network.populations[0], ne.Population("out", 5, neuron)],
            [ne.Projection("in", "out", weight)],
            outputs=["out"],
        )
    rows = (rng.random((16, N, 8)) < x / 14).astype(np.int64)
    return Case(ne.wire(network, rule, **options), ne.stimulus({"in": rows}, {"in": 8}), 1, sequential=True)


def classifier() -> Case:
    x, labels = samples(8, 3, 9)
    rows = (np.random.default_rng(5).random((14, N, 8)) < x / 14).astype(np.int64)
    network = ne.wire(chain((8, 3)), "event_classifier", eta=0.01, mean=0.3, spread=0.1)
    return Case(network, told(ne.stimulus({"in": rows}, {"in": 8}), labels, 3), 1, sequential=True)


def sdsp() -> Case:
    """Events of the features one after the other, with a time reference a tick."""
    x, _ = samples(8, 3, 9)
    rng = np.random.default_rng(5)
    neuron = ne.Firmware("odin_event", {"leak": 1, "threshold": 7})
    network = ne.Network(
        [
            ne.Population("in", 8, ne.HostInput()),
            ne.Population("tref", 1, ne.HostInput()),
            ne.Population("out", 5, neuron),
        ],
        [
            ne.Projection("in", "out", rng.integers(0, 8, (8, 5)), routes={"input": [("exc", "weight")]}),
            ne.Projection("tref", "out", np.ones((1, 5), int), routes={"input": [("tref", "weight")]}),
        ],
        outputs=["out"],
    )
    rows = (rng.random((6, N, 8)) < x / 28).astype(np.int64)
    stimulus, _ = ne.one_event_a_tick(ne.stimulus({"in": rows}, {"in": 8}))
    network = ne.wire(network, "odin_sdsp", thetamem=9, theta1=0, theta2=3, theta3=3, caleak=2)
    return Case(network, stimulus, 1, sequential=True)


CASES: dict[str, Callable[[], Case]] = {
    "odin_sdsp": sdsp,
    "sfdfa": sfdfa,
    "spikegrad": lambda: spike_grad("spikegrad"),
    "spikegrad_unary": lambda: spike_grad("spikegrad_unary"),
    "stdp": lambda: unlabelled("stdp", a_minus=5),
    "stdp_nearest": lambda: unlabelled("stdp", nearest=True, a_minus=5),
    "event_classifier": classifier,
    "wta_stdp": lambda: unlabelled("wta_stdp", theta=4.0, alpha=0.2, seed=3),
}


def weights_of(image: ne.Image, name: str) -> np.ndarray:
    """A projection's weights in the order of its ids."""
    parts = next(p for p in image.projections if p.name == name).parts
    ids = np.concatenate([part.ids for part in parts])
    return np.concatenate([part.weight for part in parts])[np.argsort(ids)]


def test_every_shipped_rule_is_here() -> None:
    for path in RULES.glob("*.py"):
        here = any(name == path.stem or name.startswith(f"{path.stem}_") for name in CASES)
        assert here, f"add a case to CASES for {path.stem}"


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_200_presentations_leave_the_same_bits(name: str) -> None:
    case = CASES[name]()
    image = ne.compile(case.network, ne.load_chip("atlas"), align=False)
    how = {"plastic": True, "seed": SEED, "commit_every": case.commit_every}
    done = {engine: ne.run(image, case.stimulus, engine=engine, **how) for engine in runnable()}
    reference = done["python"]
    learned = sorted(reference.memory.weights)
    assert learned
    moved = [np.mean(reference.weights[label] != weights_of(image, label)) for label in learned]
    assert np.mean(moved) > 0.5, dict(zip(learned, moved, strict=True))
    for engine, run in done.items():
        assert reference.differs(run) is None, engine
        assert reference.memory.digest == run.memory.digest, engine
    # cut, and gone on with elsewhere; threads; another placement
    cut = CUT - CUT % case.commit_every
    first = ne.run(image, case.stimulus.slice(0, cut), engine="cpu", workers=3, **how)
    rest = ne.run(image, case.stimulus.slice(cut, N), engine="cpu", start=first.memory, **how)
    assert rest.memory.digest == reference.memory.digest
    placement = random_placement(np.random.default_rng(3), image, 40)
    if case.sequential:  # a group, and flags that a firing clears, stay on one core
        placement = {"out": [(17, image.population("out").n)]}
    elsewhere = ne.compile(case.network, ne.load_chip("atlas"), align=False, placement=placement)
    assert elsewhere.usage != image.usage
    again = ne.run(elsewhere, case.stimulus, **how)
    assert (again.spikes, again.memory.digest) == (reference.spikes, reference.memory.digest)

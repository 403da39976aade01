"""What stops the winner-take-all rule: thresholds and weights that do not fit each other, no damping, and a flag that misses its spike."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import neuroemu as ne

ATLAS = ne.load_chip("atlas")
NEURONS, LAST = 40, 600


@cache
def tool() -> ModuleType:
    """tools/train_wta.py, for its spike trains."""
    spec = importlib.util.spec_from_file_location("train_wta", Path(__file__).parents[2] / "tools" / "train_wta.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def digits() -> ne.Stimulus:
    """The training digits once, 128 ticks each."""
    (values, _), _, top = tool().samples("digits")
    return tool().packets(tool().trains(values, 20.0, top, np.random.default_rng(0)), 128, 0)


@cache
def trained(**options: float) -> ne.Run:
    network = ne.wire(tool().features(64, NEURONS), "wta_stdp", **options)
    return ne.run(ne.compile(network, ATLAS), digits(), plastic=True, commit_every=64)


def alive(run: ne.Run) -> int:
    """Neurons that still spike."""
    return int((run.spike_counts("layer")[-LAST:].sum(axis=0) > 0).sum())


def test_the_defaults_keep_every_neuron_alive() -> None:
    run = trained()
    assert alive(run) == NEURONS
    counts = run.spike_counts("layer")[-LAST:].sum(axis=0)
    assert counts.max() < 0.15 * counts.sum()
    assert ((run.weights["p"] < 26) | (run.weights["p"] > 229)).mean() > 0.5


@pytest.mark.parametrize(
    ("options", "most"),
    [({"theta": 20.0}, NEURONS // 3), ({"mean": 0.3}, 2), ({"beta_plus": 0.0}, NEURONS // 3)],
    ids=["theta too high for the ratio", "weights too low at the start", "no damping"],
)
def test_a_few_neurons_win_all(options: dict[str, float], most: int) -> None:
    """Without homeostasis nothing brings back who never wins: a winner's other weights must fall before it wins the next sample too."""
    run = trained(**options)
    assert 1 <= alive(run) <= most
    assert run.spike_counts("layer")[-LAST:].sum() > 5000


def test_a_high_threshold_needs_a_faster_fall() -> None:
    assert alive(trained(theta=20.0, ratio=2.0)) >= 0.9 * NEURONS


def test_the_spike_that_makes_a_neuron_learn_counts_as_before_it() -> None:
    """The thesis' strict inequality would leave it out: its weight would fall."""
    network = ne.wire(tool().features(3, 1), "wta_stdp", theta=0.7, alpha=0.4, ratio=8.0, mean=None)
    start = replace(network.projection("p"), weight=np.full((3, 1), 200))
    image = ne.compile(replace(network, projections=(start,)), ATLAS)
    rows = np.zeros((6, 2, 3), int)
    rows[2, 0, 0] = rows[2, 1, 1] = 1
    session = ne.Session(image, plastic=True)
    seen = [np.full(3, 200)]
    for presentation in range(2):
        session.load(rows, presentation)
        session.step(session.ticks)
        session.end()
        seen.append(session.weights["p"].copy())
    assert np.sign(np.diff(seen, axis=0)).tolist() == [[1, -1, -1], [-1, 1, -1]]
    assert not session.register("p", "flag").any()

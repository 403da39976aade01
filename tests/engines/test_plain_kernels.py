"""The text of a kernel is plain Python: run by the interpreter, as it stands and checked, it gives the bits of the other engines."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from cases import CASES, Case, show_activity
from kernels import checked, interpreted, plain
from test_neurons import CASES as NEURONS
from test_neurons import inputs, network
from test_rules import CASES as RULES
from test_rules import weights_of

import neuroemu as ne
from neuroemu.base.shelf import neurons

LOADS = {"plain": plain, "checked": checked}
SEED = -7
"""Negative, as a seed may be: a key is unsigned."""


def as_text(load: str, image: ne.Image, stimulus: ne.Stimulus, **how: object) -> ne.Run:
    """What the kernel's text gives under the interpreter; it was there that it ran, not in a compiled kernel."""
    before = LOADS[load].cache_info()
    with interpreted(LOADS[load]):
        run = ne.run(image, stimulus, engine="cpu", workers=1, **how)
    after = LOADS[load].cache_info()
    assert after.hits + after.misses == before.hits + before.misses + 1
    return run


def equal(a: ne.Run, b: ne.Run) -> None:
    assert a.differs(b) is None
    assert a.counts.rows() == b.counts.rows()
    assert a.memory.digest == b.memory.digest


@cache
def built(name: str) -> tuple[Case, ne.Image]:
    case = CASES[name](np.random.default_rng([0, *name.encode()]))
    return case, case.image()


@pytest.mark.parametrize("learning", [True, False], ids=["learning", "evaluating"])
@pytest.mark.parametrize("name", CASES)
def test_every_case_as_text_compiled_and_on_the_reference(name: str, learning: bool) -> None:
    case, image = built(name)
    how = {"plastic": learning, "commit_every": case.commit_every, "seed": SEED}
    oracle = ne.run(image, case.stimulus(), engine="python", **how)
    show_activity(case, image, oracle, learning)
    for load in LOADS:
        equal(oracle, as_text(load, image, case.stimulus(), **how))
    equal(oracle, ne.run(image, case.stimulus(), engine="cpu", **how))


@cache
def shipped_neurons() -> tuple[ne.Image, ne.Stimulus, ne.Run]:
    """Every shipped neuron in one network: the cases of test_neurons, and what the float models are compiled to."""
    plain_ones = {
        "lif": {"decay_v": 500, "threshold": 60},
        "cuba_lif": {"decay_u": 900, "decay_v": 500, "threshold": 90},
        "if": {"threshold": 80},
        "li": {"decay_v": 300},
        "cuba_li": {"decay_u": 700, "decay_v": 300},
    }
    rng = np.random.default_rng(8)
    populations = [ne.Population(name, 7, ne.Firmware(name, params)) for name, params in plain_ones.items()]
    projections = [ne.Projection("in_alif", p.name, rng.integers(-20, 40, (10, p.n))) for p in populations]
    whole = network(NEURONS).add(*populations, *projections)
    image = ne.compile(ne.Network(whole.populations, whole.projections, ["li", "cuba_li"]), ne.load_chip("generic45"))
    assert {p.program.split(".")[0] for p in image.populations if p.program} == set(neurons())
    stimulus = ne.stimulus(inputs(NEURONS), dict.fromkeys(inputs(NEURONS), 10))
    return image, stimulus, ne.run(image, stimulus, engine="python", seed=SEED)


@pytest.mark.parametrize("load", LOADS)
def test_every_shipped_neuron(load: str) -> None:
    image, stimulus, oracle = shipped_neurons()
    for population in image.populations:
        if population.name in oracle.readout:
            assert np.unique(oracle.readout[population.name]).size > 5, population.name
        elif not population.is_host:
            assert oracle.counts.by_owner("send_spike")[population.name] > 20, population.name
    equal(oracle, as_text(load, image, stimulus, seed=SEED))


@pytest.mark.parametrize("commit_every", [1, 3])
@pytest.mark.parametrize("name", RULES)
def test_every_shipped_rule(name: str, commit_every: int) -> None:
    """With every commit in the kernel's run, and apart from it."""
    case = RULES[name]()
    image = ne.compile(case.network, ne.load_chip("atlas"), align=False)
    how = {"plastic": True, "commit_every": commit_every, "seed": SEED}
    some = case.stimulus.slice(3, 12)
    oracle = ne.run(image, some, engine="python", **how)
    assert len(oracle.spikes) > 20
    learned = sorted(oracle.memory.weights)
    assert any(np.mean(oracle.weights[label] != weights_of(image, label)) > 0.1 for label in learned)
    for load in LOADS:
        equal(oracle, as_text(load, image, some, **how))


def test_numba_compiles_every_stage_once(tmp_path: Path) -> None:
    """An argument that is a constant in the text first and a number later would make two kernels of one stage."""
    case, image = built("current_based")
    loaded: list[ModuleType] = []

    def load(text: str) -> ModuleType:
        path = tmp_path / "kernel_once.py"  # a name no kernel has: nothing of it is compiled yet
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("kernel_once", path)
        assert spec is not None
        assert spec.loader is not None
        loaded.append(importlib.util.module_from_spec(spec))
        spec.loader.exec_module(loaded[0])
        return loaded[0]

    with interpreted(load):
        run = ne.run(image, case.stimulus(), engine="cpu", workers=1)
    assert len(run.spikes) > 100
    stages = re.findall(r"@njit\([^\n]*forceinline=True[^\n]*\ndef (\w+)", (tmp_path / "kernel_once.py").read_text())
    assert {"begin", "deliver_q0_input", "soma_p1", "axon_out_p1", "soma_p2", "undelivered"} <= set(stages)
    assert {name: len(getattr(loaded[0], name).signatures) for name in stages} == dict.fromkeys(stages, 1)

"""Frozen projections and populations: their weights stay, everything else goes on, the same bits on every engine, and it costs less."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, Case
from fails import fails

import neuroemu as ne
from neuroemu.language.frozen import without_learning
from neuroemu.language.program import specialize
from neuroemu.learning.schedule import freeze, learns
from neuroemu.results.report import learning_fj, price

FROZEN = {"graded": ("p", "h"), "rivals": ("up",), "online": ("p",)}
STAY = {"graded": ("p",), "rivals": ("up", "down"), "online": ("p",)}


def drawn(name: str) -> Case:
    return CASES[name](np.random.default_rng([0, *name.encode()]))


def run(case: Case, image: ne.Image, engine: str = "python") -> ne.Run:
    return ne.run(image, case.stimulus(), engine=engine, plastic=True, commit_every=case.commit_every, seed=7)


def weights_of(image: ne.Image, name: str) -> np.ndarray:
    parts = next(p for p in image.projections if p.name == name).parts
    return np.concatenate([part.weight for part in parts])[np.argsort(np.concatenate([part.ids for part in parts]))]


@pytest.mark.parametrize("name", [pytest.param("graded", marks=pytest.mark.slow), "rivals", "online"])
def test_frozen_weights_stay_and_the_engines_agree(name: str) -> None:
    case = drawn(name)
    free = case.image()
    image = freeze(free, FROZEN[name])
    moving, still = run(case, free), run(case, image)
    for projection in STAY[name]:
        assert (moving.weights[projection] != weights_of(free, projection)).any()
        assert np.array_equal(still.weights[projection], weights_of(free, projection))
    assert len(still.spikes) > 10
    for engine in ("event",) if name == "rivals" else ("event", "cpu"):  # a kernel less to compile
        assert still.differs(run(case, image, engine)) is None
    cost = [learning_fj(price(done.counts, image.chip)) for done in (moving, still)]
    assert 0 <= cost[1] < cost[0]


def test_a_frozen_population_keeps_its_weight_registers_and_its_state_goes_on() -> None:
    case = drawn("graded")
    moving, still = (run(case, image) for image in (case.image(), freeze(case.image(), ["h"])))
    assert (moving.state["h.gain"] != 3).any()
    assert (still.state["h.gain"] == 3).all()
    assert still.state["h.spent"].any()
    assert "h.seen" in moving.state
    assert "h.seen" not in still.state
    assert (still.weights["p"] != weights_of(case.image(), "p")).any()


def test_until_the_first_commit_a_frozen_image_does_what_a_free_one_does() -> None:
    case = drawn("graded")
    moving, still = (run(case, image) for image in (case.image(), freeze(case.image(), ["p", "h"])))
    before = [done.spikes.presentation < case.commit_every for done in (moving, still)]
    assert before[0].sum() > 10
    for field in ne.Spikes.FIELDS:
        first, second = (
            getattr(done.spikes, field)[chosen] for done, chosen in zip((moving, still), before, strict=True)
        )
        assert np.array_equal(first, second)


def test_errors_pass_through_a_frozen_layer() -> None:
    sizes = {"in": 8, "h1": 6, "h2": 5, "out": 3}
    names = list(sizes)
    neurons = [ne.Population(name, n, ne.IF() if name != "in" else ne.HostInput()) for name, n in sizes.items()]
    chain = [
        ne.Projection(a, b, np.zeros((sizes[a], sizes[b])), f"w{k + 1}") for k, (a, b) in enumerate(pairwise(names))
    ]
    image = ne.compile(ne.wire(ne.Network(neurons, chain, ["out"]), "spikegrad", k=2), ne.load_chip("atlas"))
    values = {"out": np.eye(3, dtype=int)[[0, 2]]}
    events = ne.stimulus({"in": np.full((1, 2, 8), 9)}, {"in": 8}, values=values)
    how = {"engine": "python", "plastic": True, "commit_every": 2}
    moving, still = (ne.run(one, events, **how) for one in (image, freeze(image, ["w2", "h2"])))
    for name in ("w2", "w2.back"):
        assert (moving.weights[name] != weights_of(image, name)).any()
        assert np.array_equal(still.weights[name], weights_of(image, name))
    assert moving.state["h2.bias"].any()
    assert not still.state["h2.bias"].any()
    for name in ("w1", "w3", "w3.back"):
        assert (still.weights[name] != weights_of(image, name)).any()
        assert np.array_equal(still.weights[name], moving.weights[name])
    samples = np.arange(48).reshape(6, 8) % 9, [0, 1, 2, 0, 1, 2]
    done = ne.train(image, samples, frozen=["w2", "h2"], engine="python")
    assert np.array_equal(weights_of(done.image, "w2"), weights_of(image, "w2"))
    assert (weights_of(done.image, "w1") != weights_of(image, "w1")).any()
    assert not any(owner.frozen for owner in (*done.image.populations, *done.image.projections))


def test_memories_go_from_frozen_to_free_and_back() -> None:
    case = drawn("online")
    free, frozen = case.image(), freeze(case.image(), ["p"])
    assert run(case, free).memory.registers.keys() == run(case, frozen).memory.registers.keys()
    stimulus, learned = case.stimulus(), run(case, free).memory
    done = ne.run(frozen, stimulus, engine="python", plastic=True, start=learned)
    assert np.array_equal(done.weights["p"], learned.weights["p"])


def test_a_frozen_image_is_another_image_and_keeps_in_a_file(tmp_path: Path) -> None:
    free = drawn("graded").image()
    frozen = freeze(free, ["p"])
    assert frozen.digest != free.digest == freeze(free, []).digest
    frozen.save(tmp_path / "f.image")
    read = ne.load_image(tmp_path / "f.image")
    assert read.digest == frozen.digest
    assert [p.frozen for p in read.projections] == [True, False]
    assert learns(frozen)
    assert not learns(freeze(free, ["p", "h"]))


def test_only_what_leads_to_weights_goes() -> None:
    hidden = without_learning(ne.load_program("sfdfa.hidden"))
    assert list(hidden.hooks) == ["soma", "end"]
    assert hidden.hooks["end"].returns == ("delta",)
    assert [argument.name for argument in hidden.hooks["end"].arguments] == ["n", "delta", "nbar", "beta", "nhat"]
    assert "nbar" in hidden.registers
    assert "sum_n" not in hidden.registers
    rule = without_learning(specialize(ne.load_program("spikegrad.forward_momentum"), {}))
    assert (list(rule.hooks), list(rule.registers)) == ([], ["trace", "w"])
    largest = ne.load_program("spikegrad.largest")
    assert without_learning(largest).hooks["arrive_synapse"].returns == largest.hooks["arrive_synapse"].returns


def test_names_that_are_not_there() -> None:
    with fails(ne.UnknownNameError, "no projection or population (frozen) named 'q'; there are: h, p, rec"):
        freeze(drawn("graded").image(), ["q"])

"""A run can be cut anywhere between commits and go on with the same bits; what was learned can be stored in the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import CASES
from fails import fails

import neuroemu as ne
from neuroemu.engines.available import runnable

LEARNING = ("graded", "online", "rivals")


def cut(name: str, engine: str) -> tuple[ne.Run, ne.Run, ne.Image]:
    """One run of all presentations, and one in two parts with a break after the first commits."""
    case = CASES[name](np.random.default_rng(11))
    image, events = case.image(), case.stimulus()
    how = {"engine": engine, "plastic": True, "commit_every": case.commit_every}
    whole = ne.run(image, events, **how)
    at = case.commit_every * (events.n // case.commit_every // 2 or 1)
    first = ne.run(image, events.slice(0, at), **how)
    return whole, ne.run(image, events.slice(at, events.n), start=first.memory, **how), image


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("engine", runnable())
def test_a_run_in_two_parts_ends_with_the_same_bits(name: str, engine: str) -> None:
    whole, rest, image = cut(name, engine)
    assert any((whole.weights[p.name] != np.sort(whole.weights[p.name])).any() for p in image.projections if p.program)
    assert whole.memory.weights.keys() == {p.name for p in image.projections if p.program}
    assert whole.memory.digest == rest.memory.digest
    for key, values in whole.weights.items():
        assert np.array_equal(values, rest.weights[key]), key
    assert whole.memory.commits == rest.memory.commits > 0


@pytest.mark.parametrize("name", LEARNING)
def test_a_trained_image_is_the_memory_and_saves_it(name: str, tmp_path: Path) -> None:
    whole, _, image = cut(name, "python")
    case = CASES[name](np.random.default_rng(11))
    trained = ne.with_memory(image, whole.memory)
    assert trained.digest != image.digest
    trained.save(tmp_path / "trained.image")
    again = ne.load_image(tmp_path / "trained.image")
    assert again.digest == trained.digest
    told = ne.run(image, case.stimulus(), engine="python", start=whole.memory)
    stored = ne.run(again, case.stimulus(), engine="python")
    assert len(told.spikes) > 0
    assert told.spikes == stored.spikes
    assert np.array_equal(next(iter(told.weights.values())), next(iter(stored.weights.values())))
    whole.save(tmp_path / "run")
    assert ne.load_run(tmp_path / "run").memory.digest == whole.memory.digest


def test_another_images_memory_is_refused() -> None:
    image = CASES["online"](np.random.default_rng(1)).image()
    inputs = CASES["online"](np.random.default_rng(1)).inputs
    text = "memory holds 3 weights of projection 'p', the image has 60; give the memory of a run of this image"
    with fails(ne.RunError, text):
        ne.run(image, inputs, start=ne.Memory({"p": np.zeros(3, np.int64)}))
    text = "memory holds register 'out.bias', which the image lacks; give the memory of a run of this image"
    with fails(ne.RunError, text):
        ne.with_memory(image, ne.Memory(registers={"out.bias": np.zeros(6, np.int64)}))


MEMORIES: dict[str, tuple[ne.Memory, str]] = {
    "shape": (
        ne.Memory({"p": np.zeros((6, 10), np.int64)}),
        "memory holds weights of projection 'p' of shape (6, 10) and dtype int64, the image has integers of shape (60,); "
        "give the memory of a run of this image",
    ),
    "floats": (
        ne.Memory({"p": np.zeros(60)}),  # type: ignore[dict-item]
        "memory holds weights of projection 'p' of shape (60,) and dtype float64, the image has integers of shape (60,); "
        "give the memory of a run of this image",
    ),
    "weight": (
        ne.Memory({"p": np.full(60, 1 << 40)}),
        "memory holds 1099511627776 among the weights of projection 'p', the image has -32768..32767 there; "
        "give the memory of a run of this image",
    ),
    "register": (
        ne.Memory(registers={"p.flag": np.zeros(3, np.int64)}),
        "memory holds values of register 'p.flag' of shape (3,) and dtype int64, the image has integers of shape (1, 10); "
        "give the memory of a run of this image",
    ),
    "value": (
        ne.Memory(registers={"p.flag": np.full((1, 10), 1 << 40)}),
        "memory holds 1099511627776 among the values of register 'p.flag', the image has -8..7 there; "
        "give the memory of a run of this image",
    ),
}


@pytest.mark.parametrize("kind", MEMORIES)
def test_a_memory_that_its_registers_cannot_hold_is_refused(kind: str) -> None:
    case = CASES["online"](np.random.default_rng(1))
    memory, text = MEMORIES[kind]
    with fails(ne.RunError, text):
        ne.run(case.image(), case.stimulus(), start=memory)

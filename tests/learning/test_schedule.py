"""Parameters by epoch: they hold from theirs on, within what program and chip take, and checkpoints go by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fails import fails
from lessons import image, train

import neuroemu as ne
from neuroemu.learning.schedule import at_epoch, check_schedule

SMALL: dict[str, Any] = {"n": 60, "epochs": 1}


def test_a_value_holds_from_its_epoch_on() -> None:
    built, schedule = image(rate=8), {"p.rate": {1: 9, 3: 11}}
    assert at_epoch(built, schedule, 0) is built
    rates = [at_epoch(built, schedule, epoch).projections[0].params["rate"] for epoch in range(5)]
    assert rates == [8, 9, 9, 11, 11]
    assert built.projections[0].params["rate"] == 8


def test_a_schedule_trains_as_an_image_of_those_parameters() -> None:
    fixed, given = train(image=image(rate=5), **SMALL), train(image=image(rate=8), schedule={"p.rate": {0: 5}}, **SMALL)
    plain, later = train(image=image(rate=8), **SMALL), train(image=image(rate=8), schedule={"p.rate": {1: 5}}, **SMALL)
    assert fixed.memory.weights["p"].any()
    assert fixed.memory.digest == given.memory.digest != plain.memory.digest == later.memory.digest
    assert given.image.digest == fixed.image.digest
    two = train(60, image=image(rate=8), schedule={"p.rate": {1: 5}})
    assert two.memory.digest != train(60, image=image(rate=8)).memory.digest
    assert two.image.projections[0].params["rate"] == 5


def test_values_of_neurons_and_of_populations() -> None:
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("out", 3, ne.Firmware("if", {"threshold": 9}))],
        [ne.Projection("in", "out", np.ones((2, 3), int), "p")],
        outputs=["out"],
    )
    built = ne.compile(network, ne.load_chip("atlas"))
    later = at_epoch(built, {"out.threshold": {2: [4, 5, 6]}}, 2)
    assert list(later.population("out").params["threshold"]) == [4, 5, 6]  # type: ignore[arg-type]
    inputs = np.ones((3, 2), int)
    assert len(ne.run(later, inputs, engine="python").spikes) > len(ne.run(built, inputs, engine="python").spikes)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"q.rate": {0: 1}},
        ne.UnknownNameError,
        "no projection or population (schedule 'q.rate') named 'q'; there are: out, p",
    ),
    (
        {"p.rat": {0: 1}},
        ne.UnknownNameError,
        "no parameter (schedule 'p.rat') named 'rat'; did you mean 'rate'? there are: rate",
    ),
    ({"p.rate": {-1: 1}}, ne.RunError, "schedule 'p.rate': epoch -1 is not one; epochs are counted from 0"),
    (
        {"p.rate": {0: 8, 4: 99}},
        ne.NetworkError,
        "schedule 'p.rate', epoch 4: rate is 99, its program takes 0..20; give one of these, or rescale the network",
    ),
    (
        {"p.rate": {0: [1, 2]}},
        ne.NetworkError,
        "schedule 'p.rate', epoch 0: parameter 'rate' has 2 values for 1 neurons; give one, or one a neuron",
    ),
    (
        {"p.rate": {2: 1.5}},
        ne.NetworkError,
        "schedule 'p.rate', epoch 2 is 1.5, not an integer; round it, or do not pass it verbatim",
    ),
]


@pytest.mark.parametrize(("schedule", "error", "text"), REFUSED, ids=[text[:40] for _, _, text in REFUSED])
def test_what_is_refused(schedule: dict[str, Any], error: type[Exception], text: str) -> None:
    with fails(error, text):
        check_schedule(image(), schedule)

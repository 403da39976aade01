"""Nothing of an image is written into a kernel's text but whole numbers and names, whoever made the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import CASES
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import RunError
from neuroemu.chip.width import Bits
from neuroemu.engines.job import Job, silent
from neuroemu.engines.kernel.kernel import generate
from neuroemu.engines.kernel.layout import Layout

CODE: Any = "0\nimport os"
Change = Callable[[ne.Image], ne.Image]


def population(number: int, **changes: Any) -> Change:
    """The image with something of a population replaced."""

    def change(image: ne.Image) -> ne.Image:
        populations = list(image.populations)
        populations[number] = replace(populations[number], **changes)
        return replace(image, populations=tuple(populations))

    return change


def projection(**changes: Any) -> Change:
    """The image with something of its first projection replaced."""
    return lambda image: replace(image, projections=(replace(image.projections[0], **changes), *image.projections[1:]))


def unchecked_modulator() -> ne.Modulator:
    """One whose tick is code, past the check that it makes of itself."""
    made = ne.Modulator("h", 0)
    object.__setattr__(made, "tick", CODE)
    return made


NUMBERS: dict[str, tuple[str, Change, str]] = {
    "id0": ("graded", population(1, id0=CODE), "population 'h': id0"),
    "shape": ("graded", population(1, shape=(7.0,)), "population 'h': shape"),
    "param": ("online", projection(params={"down": CODE, "up": 3}), "projection 'p': params.down"),
    "width": ("online", projection(widths={"w": Bits(CODE, 0)}), "projection 'p': widths.w"),
    "view": ("online", projection(view=(1, 1, CODE)), "projection 'p': view"),
    "probe": ("graded", lambda image: replace(image, probes=((CODE, "v"),)), "probes"),
    "modulator": ("graded", lambda image: replace(image, modulators=(unchecked_modulator(),)), "modulators"),
}
NAMES: dict[str, tuple[str, Change, str]] = {
    "flag": ("rivals", population(2, compete={CODE: "v_learn"}), "population 'win': compete"),
    "score": ("rivals", population(2, compete={"fire": CODE}), "population 'win': compete"),
    "param": ("online", projection(params={CODE: 3}), "projection 'p': params"),
    "width": ("online", projection(widths={CODE: Bits(8, 0)}), "projection 'p': widths"),
    "channel": ("online", projection(routes={CODE: ()}), "projection 'p': routes"),
    "port": ("online", projection(routes={"input": ((CODE, "weight"),)}), "projection 'p': routes"),
    "probe": ("graded", lambda image: replace(image, probes=((1, CODE),)), "probes"),
}


def job(name: str, change: Change = lambda image: image) -> Job:
    """A plastic job of a case, its image changed."""
    case = CASES[name](np.random.default_rng(1))
    return Job(change(case.image()), case.stimulus(), 0, True, case.commit_every, 1, silent)


@pytest.mark.parametrize("kind", NUMBERS)
def test_what_is_no_number_is_not_written(kind: str) -> None:
    name, change, place = NUMBERS[kind]
    value = "7.0" if kind == "shape" else repr(CODE)
    text = (
        f"{place} of the image is {value}, and only whole numbers are written into a kernel; compile the network again"
    )
    with fails(RunError, text):
        Layout(job(name, change))


@pytest.mark.parametrize("kind", NAMES)
def test_what_is_no_name_is_not_written(kind: str) -> None:
    name, change, place = NAMES[kind]
    text = (
        f"{place} of the image is {CODE!r}, and only names of letters, digits and _ are written into a kernel; "
        "compile the network again"
    )
    with fails(RunError, text):
        Layout(job(name, change))


def test_what_is_compiled_is_written() -> None:
    """The same road unchanged gives a kernel whose text has the image's numbers."""
    source, arguments, _ = generate(Layout(job("graded")))
    assert "record[3, length] = 9 + " in source
    assert arguments

"""A small chip with limits of choice, and networks that meet them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import neuroemu as ne
from neuroemu.base.shelf import folder
from neuroemu.chip.chip import Chip, parse_chip

GENERIC = (folder("cores") / "generic45.toml").read_text()
SOMA = ne.Firmware("if", {"threshold": 9})


def small(width: int = 8, axon: int = 23, **limits: int) -> Chip:
    """generic45 with one row of so many cores, so many bits of a key for the axon, and these limits of a core."""
    lines = [
        f'{key} = {{ value = {value}, unit = "x", basis = "estimated", source = "choice" }}'
        for key, value in limits.items()
    ]
    text = GENERIC.replace("[core.programs]", "\n".join([*lines, "", "[core.programs]"]))
    text = re.sub(r"^width = 8\nheight = 8", f"width = {width}\nheight = 1", text, flags=re.MULTILINE)
    return parse_chip(text.replace("axon = 23", f"axon = {axon}"), "small.toml")


def network(n: int = 4, n_in: int = 3, weight: Any = None, neuron: Any = SOMA, **population: Any) -> ne.Network:
    """A host into population 'a', dense unless told otherwise."""
    return ne.Network(
        [ne.Population("in", n_in, ne.HostInput()), ne.Population("a", n, neuron, **population)],
        [ne.Projection("in", "a", np.ones((n_in, n)) if weight is None else weight)],
        outputs=["a"],
    )


def cores(image: ne.Image, name: str = "a") -> list[tuple[int, int, int]]:
    """(core, first neuron, last neuron + 1) of the population's slices."""
    return [(s.core, s.low, s.high) for p in image.populations if p.name == name for s in p.slices]

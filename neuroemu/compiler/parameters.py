"""A program's parameters and tables: complete, of the right size, within the program's ranges and the chip's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import NetworkError, UnsupportedError
from neuroemu.base.shelf import unknown
from neuroemu.chip.chip import Chip
from neuroemu.image.image import Params
from neuroemu.language.interval import INT32, Interval
from neuroemu.language.language import Program


def parameters(chip: Chip, owner: str, program: Program, given: Mapping[str, Ints], n: int) -> Params:
    """Every parameter and table the program takes, checked against its range and the chip's."""
    wanted = program.of_kind("param", "table")
    for name in given:
        if name not in wanted:
            raise unknown(f"parameter of program '{program.name}' ({owner})", name, wanted)
    params: Params = {}
    for name in wanted:
        argument = program.arguments[name]
        if name not in given and argument.init is None:
            raise NetworkError(
                f"{owner}: program '{program.name}' needs parameter '{name}'; it takes {', '.join(wanted)}"
            )
        value = np.asarray(given.get(name, argument.init), np.int64)
        if argument.kind == "table":
            params[name] = _table(owner, program, name, value)
            continue
        value = value.ravel()
        if value.size not in (1, n):
            raise NetworkError(
                f"{owner}: parameter '{name}' has {value.size} values for {n} neurons; give one, or one a neuron"
            )
        _parameter(chip, owner, name, value, Interval(*argument.limits) if argument.limits else INT32)
        params[name] = int(value[0]) if np.all(value == value[0]) else value
    return params


def _parameter(chip: Chip, owner: str, name: str, value: Ints, declared: Interval) -> None:
    low, high = int(value.min()), int(value.max())
    if not Interval(low, high).within(declared):
        bad = low if low < declared.low else high
        raise NetworkError(
            f"{owner}: {name} is {bad}, its program takes {declared}; give one of these, or rescale the network"
        )
    stated = chip.parameter(name)
    if stated is None:
        return
    wrong = value[(value < stated.min) | (value > stated.max) | (value % stated.step != 0)]
    if wrong.size:
        steps = f" in steps of {stated.step}" if stated.step > 1 else ""
        note = f": {stated.note}" if stated.note else ""
        way = "move it with bias='voltage', or choose" if name == "bias_u" else "change the network, or choose"
        raise UnsupportedError(
            f"{owner}: {name} is {wrong[0]}, {chip.name} takes {stated.min}..{stated.max}{steps} "
            f"({stated.source}{note}); {way} a chip such as generic45"
        )


def _table(owner: str, program: Program, name: str, value: Ints) -> Ints:
    limits = program.arguments[name].limits
    allowed = Interval(*limits[1:]) if len(limits) == 3 else INT32
    if value.ndim != 1 or value.size != limits[0]:
        raise NetworkError(
            f"{owner}: table '{name}' has shape {value.shape}, its program takes {limits[0]} entries; give that many"
        )
    if not Interval(int(value.min()), int(value.max())).within(allowed):
        raise NetworkError(
            f"{owner}: table '{name}' holds {value.min()}..{value.max()}, its program takes {allowed}; rescale it"
        )
    return value

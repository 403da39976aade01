"""What is asked of a NIR file's nodes before anything is made of them, and a name of its own for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import nir
import numpy as np

from neuroemu.base.errors import NetworkError
from neuroemu.base.fields import shown

Way = tuple[str, ...]
"""A node's names through the nested graphs, outermost first."""
Refuse = Callable[[str, str], NetworkError]
WINDOWS = {"stride": 2, "padding": 2, "dilation": 2, "kernel_size": 2, "input_shape": 2, "groups": 1}
"""Parameters of planes, which are whole numbers, and how many at most: one or one an axis."""
MOST_VALUES = 1 << 24
"""Values a node gives, as many as an image has neurons: a shape is a few bytes of a file and memory for each value here."""


def unique_names(graph: Any) -> dict[Way, str]:
    """A name for every node by its way: the parts joined by dots, outer nodes first, with underscores where it is taken."""
    names: dict[Way, str] = {}
    taken: set[str] = set()
    level: list[tuple[Way, Any]] = [((), graph)]
    while level:
        below = []
        for way, inside in level:
            for child, node in inside.nodes.items():
                here = (*way, child)
                if isinstance(node, nir.NIRGraph):
                    below.append((here, node))
                    continue
                name = ".".join(here)
                while name in taken:
                    name += "_"
                taken.add(name)
                names[here] = name
        level = below
    return names


def check_node(name: str, node: Any, refuse: Refuse) -> None:
    """Raise NetworkError, made by ``refuse(node, text)``, for parameters that are no real numbers (a padding may be a word), for
    windows and shapes that are not whole, and for time constants that are not above 0: files hold whatever they hold."""
    for key, value in vars(node).items():
        word = key == "padding" and isinstance(node, nir.Conv2d) and isinstance(value, str | bytes)
        if key == "metadata" or word:
            continue
        sizes = isinstance(value, dict)
        for part in value.values() if isinstance(value, dict) else (value,):
            _check_numbers(name, key, np.asarray(0 if part is None else part), sizes or key in WINDOWS, refuse)
    if isinstance(node, nir.Input | nir.Output):
        key, end = ("input_type", "input") if isinstance(node, nir.Input) else ("output_type", "output")
        _check_shape(name, key, np.asarray(getattr(node, key)[end]), refuse)


def check_size(name: str, shape: tuple[int, ...], refuse: Refuse) -> None:
    """Raise NetworkError for a shape that is none, or of more values than are kept."""
    if any(size < 1 for size in shape) or math.prod(shape) > MOST_VALUES:
        raise refuse(
            name, f"has shape {shape}; sizes are at least 1, and together at most {MOST_VALUES}, correct the shape"
        )


def _check_numbers(name: str, key: str, array: Any, must_be_whole: bool, refuse: Refuse) -> None:
    real = array.dtype.kind in "biuf"
    whole = real and bool(np.all((np.abs(array) < 1 << 62) & (array == np.rint(array))))
    if not real or (must_be_whole and not whole):
        raise refuse(name, f"{key} is {shown(array.tolist())}; give {'whole numbers' if must_be_whole else 'numbers'}")
    if key in WINDOWS and array.size not in (1, WINDOWS[key]):
        raise refuse(name, f"{key} has {array.size} values; give one{'' if WINDOWS[key] == 1 else ', or one an axis'}")
    if np.isnan(array).any():
        raise refuse(name, f"{key} holds nan; give numbers")
    if key.startswith("tau") and np.any(array <= 0):
        raise refuse(name, f"{key} is {array.min():g} s; a time constant is above 0")


def _check_shape(name: str, key: str, stated: Any, refuse: Refuse) -> None:
    if stated.dtype.kind not in "iu":
        raise refuse(name, f"{key} is {shown(stated.tolist())}; give whole numbers")
    if stated.ndim > 1 or not stated.size:
        raise refuse(name, f"{key} has shape {stated.shape}; give one whole number an axis")
    check_size(name, tuple(int(n) for n in np.atleast_1d(stated)), refuse)

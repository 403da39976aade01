"""What is asked of a NIR file's nodes before anything is made of them, and a name of its own for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import nir
import numpy as np

from neuroemu.base.errors import NetworkError

Way = tuple[str, ...]
"""A node's names through the nested graphs, outermost first."""
Refuse = Callable[[str, str], NetworkError]
WHOLE = {"stride": 2, "padding": 2, "dilation": 2, "kernel_size": 2, "input_shape": 2, "groups": 1}
"""Parameters of a sliding window that are whole numbers, and how many at most."""
LARGEST = 1 << 24
"""Values a node may have: more than any chip here has neurons, and few enough to keep in memory."""


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
    """Raise NetworkError, made by ``refuse(node, text)``, for parameters that are no real numbers, for time constants that are
    not above 0, and for stated shapes that are none."""
    for key, value in vars(node).items():
        if value is None or isinstance(value, dict) or (key == "padding" and isinstance(value, str | bytes)):
            continue
        array = np.asarray(value)
        _check_parameter(name, key, array, refuse)
        if key in WHOLE:
            _check_whole(name, key, array, refuse)
    if isinstance(node, nir.Input | nir.Output):
        stated = node.input_type["input"] if isinstance(node, nir.Input) else node.output_type["output"]
        _check_shape(name, stated, refuse)


def check_size(name: str, shape: tuple[int, ...], refuse: Refuse) -> None:
    """Raise NetworkError for a shape of more values than are kept."""
    if math.prod(shape) > LARGEST:
        raise refuse(
            name, f"has shape {shape}, {math.prod(shape)} values; at most {LARGEST} are imported, split the node"
        )


def _check_parameter(name: str, key: str, value: Any, refuse: Refuse) -> None:
    if value.dtype.kind not in "biuf":
        what = "complex" if value.dtype.kind == "c" else "no"
        raise refuse(name, f"{key} holds {what} numbers; give real ones")
    if np.isnan(value).any():
        raise refuse(name, f"{key} holds nan; give numbers")
    if key.startswith("tau") and np.any(value <= 0):
        raise refuse(name, f"{key} is {value.min():g} s; a time constant is above 0")


def _check_whole(name: str, key: str, value: Any, refuse: Refuse) -> None:
    most = WHOLE[key]
    if not 1 <= value.size <= most or not np.all(np.rint(value) == value):
        numbers = "one whole number" if most == 1 else "one whole number, or one for rows and one for columns"
        raise refuse(name, f"{key} is {value.tolist()}; give {numbers}")


def _check_shape(name: str, stated: Any, refuse: Refuse) -> None:
    sizes = np.atleast_1d(np.asarray(stated))
    if sizes.dtype.kind not in "iu" or sizes.ndim != 1 or not sizes.size or np.any(sizes < 1):
        raise refuse(name, f"has shape {np.asarray(stated).tolist()}; a shape is whole numbers of at least 1")
    check_size(name, tuple(int(n) for n in sizes), refuse)

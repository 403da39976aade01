"""Answers held against labels, the same for runs on a chip and for the float reference: one output, one label a presentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError


def only_output(outputs: Sequence[str], instead: str) -> str:
    """The output that answers; ``instead`` is what else can be read. Raises RunError if there is not one output."""
    if len(outputs) != 1:
        raise RunError(
            f"the network has {len(outputs)} outputs, a prediction needs one; read {instead} of the populations instead"
        )
    return outputs[0]


def whole_labels(labels: ArrayLike) -> Ints:
    """Labels in one row: whole numbers, of whatever type. Raises RunError for others, which are no class."""
    try:
        given = np.asarray(labels).ravel()
    except ValueError:  # lists of unequal length
        given = np.asarray(None)
    if given.dtype.kind not in "iufb":
        raise RunError(f"labels have dtype {given.dtype}; give one integer a presentation")
    floats = given.dtype.kind == "f"
    whole = (given == np.rint(given)) & (np.abs(given) < 2.0**63) if floats else np.ones(given.shape, bool)
    if not whole.all():
        raise RunError(f"label {given[~whole][0]} is not a whole number; give one integer a presentation")
    return given.astype(np.int64)


def share_right(prediction: Ints, labels: ArrayLike) -> float:
    """Share of presentations whose prediction, shape (presentations,), is the label. Raises RunError for other labels."""
    expected = whole_labels(labels)
    if expected.size != prediction.size:
        raise RunError(f"{expected.size} labels for {prediction.size} presentations; give one a presentation")
    return float((prediction == expected).mean())

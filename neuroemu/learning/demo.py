"""The data of the demo, shipped with the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.errors import FileError
from neuroemu.base.formats import read_arrays, read_labels


def demo_data(folder: str | os.PathLike[str] | None = None) -> tuple[Path, NDArray[Any], NDArray[np.int64]]:
    """The shipped demo: a NIR file trained by snnTorch, 360 test digits as spikes (rows, presentations, neurons), their labels."""
    place = Path(folder) if folder else Path(__file__).parents[1] / "data" / "demo"
    inputs = read_arrays(place / "digits_input.npz")
    if isinstance(inputs, dict):
        raise FileError(f"{place / 'digits_input.npz'}: holds {len(inputs)} arrays; the demo's input is one")
    return place / "digits.nir", inputs, read_labels(place / "digits_labels.npy")

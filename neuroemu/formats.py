"""Arrays from files: what the command line takes as input and labels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import FileError
from neuroemu.files import load_arrays


def read_arrays(path: str | os.PathLike[str]) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """An array from a ``.npy`` file, or those of an ``.npz`` by name (the bare array if it holds one). Raises FileError."""
    try:
        arrays = load_arrays(path)
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; give the path of a .npy or .npz file") from None
    except OSError as error:
        raise FileError(
            f"{path}: cannot be read ({error.strerror or error}); check the path and its permissions"
        ) from None
    except ValueError:
        raise FileError(
            f"{path}: is not a .npy or .npz file of numbers; save it with numpy.save or numpy.savez"
        ) from None
    return next(iter(arrays.values())) if isinstance(arrays, dict) and len(arrays) == 1 else arrays


def demo_data(folder: str | os.PathLike[str] | None = None) -> tuple[Path, NDArray[Any], NDArray[np.int64]]:
    """The shipped demo: a NIR file trained by snnTorch, 360 test digits as spikes (rows, presentations, neurons), their labels."""
    place = Path(folder) if folder else Path(__file__).parent / "data" / "demo"
    inputs = read_arrays(place / "digits_input.npz")
    if isinstance(inputs, dict):
        raise FileError(f"{place / 'digits_input.npz'}: holds {len(inputs)} arrays; the demo's input is one")
    return place / "digits.nir", inputs, read_labels(place / "digits_labels.npy")


def read_labels(path: str | os.PathLike[str]) -> NDArray[np.int64]:
    """One integer label a presentation. Raises FileError."""
    labels = read_arrays(path)
    if isinstance(labels, dict) or labels.dtype.kind not in "iu" or labels.ndim != 1:
        what = (
            "several arrays"
            if isinstance(labels, dict)
            else f"an array of shape {labels.shape} and dtype {labels.dtype}"
        )
        raise FileError(f"{path}: holds {what}; labels are one integer a presentation")
    return labels.astype(np.int64)

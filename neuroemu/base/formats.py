"""Arrays from files: what the command line takes as input and labels."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.errors import FileError
from neuroemu.base.reading import load_arrays


def read_arrays(path: str | os.PathLike[str]) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """An array from a ``.npy`` file, or those of an ``.npz`` by name (the bare array if it holds one). Raises FileError."""
    try:
        arrays = load_arrays(path)
    except FileError:
        raise
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

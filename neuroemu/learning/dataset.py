"""Data sets: labelled integer arrays. Digits are shipped, Fashion-MNIST and MNIST come with `make data`, others from files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.base.errors import FileError, StimulusError
from neuroemu.base.files import load_arrays
from neuroemu.base.shelf import unknown
from neuroemu.language.draws import permutation
from neuroemu.learning.idx import read_idx

MOST_CLASSES = 1 << 16
DIGITS_TRAIN = 1347
"""Of 1797 samples; the rest are test samples."""
DIGITS_SEED = 0
"""Of the permutation that `order` in digits.npz holds, which is what fixes the split."""
FETCHED = ("fashion-mnist", "mnist")
NAMES = ("digits", *FETCHED)
NPZ_SPLIT = ("x_train", "y_train", "x_test", "y_test")
NPZ_WHOLE = ("x", "y")
IDX_NAME = re.compile(r"(?P<set>.*?)(?P<part>train|t10k|test)-(?P<what>images|labels)[-.]idx\d-[a-z]+(\.gz)?")

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and their labels.

    ``inputs`` has shape (n, features...) and an integer dtype, ``labels`` shape (n,) with values 0..n_classes-1. ``top`` is the
    value of a full pixel, which encoders scale by; 0 means the largest of ``inputs``. Both arrays become read-only.
    Raises StimulusError.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    name: str
    n_classes: int
    top: int = 0

    def __post_init__(self) -> None:
        inputs, labels = _array(self.name, self.inputs).view(), _array(self.name, self.labels)
        _check(self.name, inputs, labels, self.n_classes)
        labels = labels.astype(np.int64)
        inputs.flags.writeable = labels.flags.writeable = False
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "top", self.top or max(1, int(inputs.max())))

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} samples of shape {self.shape}, {self.n_classes} classes)"

    def __len__(self) -> int:
        return self.labels.size

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.inputs.shape[1:]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of samples, labels, classes and top, as hexadecimal digits."""
        head = f"{self.inputs.shape} {self.inputs.dtype.str} {self.n_classes} {self.top}"
        sha = hashlib.sha256(head.encode())
        for array in (self.inputs, self.labels):
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    def take(self, indices: ArrayLike) -> Dataset:
        """The samples of these numbers, shape (m,), in that order. Raises StimulusError."""
        chosen = _array(self.name, indices)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not chosen.size:
            raise StimulusError(
                f"data set '{self.name}': samples are taken by an array of shape {chosen.shape} and dtype {chosen.dtype}; "
                "give their numbers, integers of shape (m,)"
            )
        low, high = int(chosen.min()), int(chosen.max())
        if low < 0 or high >= len(self):
            raise StimulusError(
                f"data set '{self.name}' has no sample {low if low < 0 else high}; there are 0..{len(self) - 1}"
            )
        return replace(self, inputs=self.inputs[chosen], labels=self.labels[chosen])

    def split(self, n_train: int, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two parts: ``n_train`` samples in an order drawn by the seed, and the rest. Raises StimulusError."""
        if not 1 <= n_train < len(self):
            raise StimulusError(
                f"data set '{self.name}' has {len(self)} samples, {n_train} cannot be for training; use 1 to {len(self) - 1}"
            )
        order = permutation(len(self), seed)
        return self.take(order[:n_train]), self.take(order[n_train:])


def _array(name: str, value: ArrayLike) -> NDArray[np.generic]:
    try:
        return np.asarray(value)
    except ValueError:
        raise StimulusError(f"data set '{name}': lists of unequal length; give an array") from None


def _check(name: str, inputs: NDArray[np.generic], labels: NDArray[np.generic], n_classes: int) -> None:
    if inputs.ndim < 2 or not inputs.size or inputs.dtype.kind not in "iu":
        raise StimulusError(
            f"data set '{name}': inputs have shape {inputs.shape} and dtype {inputs.dtype}; give integers of shape "
            "(samples, features...)"
        )
    if labels.shape != inputs.shape[:1] or labels.dtype.kind not in "iu":
        raise StimulusError(
            f"data set '{name}': labels have shape {labels.shape} and dtype {labels.dtype}; give one integer for each of the "
            f"{inputs.shape[0]} samples"
        )
    if not 1 <= n_classes <= MOST_CLASSES:
        raise StimulusError(f"data set '{name}' has {n_classes} classes; use 1 to {MOST_CLASSES}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= n_classes:
        raise StimulusError(
            f"data set '{name}' has label {low if low < 0 else high}; with {n_classes} classes labels are 0..{n_classes - 1}"
        )


def load_dataset(name: str | os.PathLike[str]) -> tuple[Dataset, Dataset]:
    """Training and test samples of a data set.

    ``name`` is ``digits`` (shipped; 1347 and 450, always the same), ``fashion-mnist`` or ``mnist`` (as ``make data`` puts them
    into ./data or the checkout's data folder), or a path: an ``.npz`` with x_train, y_train, x_test, y_test, or with x and y, of
    which a quarter, drawn by seed 0, is for testing; or IDX files, plain or gzipped, by their folder or one of them.
    Nothing is downloaded. Raises FileError, UnknownNameError.
    """
    text = os.fspath(name)
    if text == "digits":
        return _digits()
    if text in FETCHED:
        return _fetched(text)
    path = Path(text)
    if text.endswith(".npz"):
        return _npz(path)
    if _is(path, folder=True):
        return _idx(path, None)
    if os.sep in text or _is(path, folder=False):
        return _idx(path.parent, path)
    raise unknown("data set", text, NAMES)


def _is(path: Path, *, folder: bool) -> bool:
    try:
        return path.is_dir() if folder else path.is_file()
    except (OSError, ValueError):  # a name too long, or with a null in it
        return False


def _digits() -> tuple[Dataset, Dataset]:
    arrays = _arrays(_PACKAGE / "data" / "digits.npz")
    whole = Dataset(arrays["images"], arrays["labels"], "digits", 10, top=16)
    order = arrays["order"]
    return whole.take(order[:DIGITS_TRAIN]), whole.take(order[DIGITS_TRAIN:])


def _fetched(name: str) -> tuple[Dataset, Dataset]:
    places = [Path("data") / name, _PACKAGE.parent / "data" / name]
    for place in places:
        if _is(place, folder=True):
            return _idx(place, None, name)
    raise FileError(
        f"{places[0]}: no such folder; run `make data` to fetch {name}, or give the folder of its IDX files"
    )


# ---- .npz
def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        arrays = load_arrays(path)
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; give the path of an .npz file, or the name of a data set") from None
    except OSError as error:
        raise FileError(
            f"{path}: cannot be read ({error.strerror or error}); check the path and its permissions"
        ) from None
    except (ValueError, MemoryError):
        raise FileError(f"{path}: is not an .npz file of numbers; save it with numpy.savez") from None
    return arrays if isinstance(arrays, dict) else {"": arrays}


def _npz(path: Path) -> tuple[Dataset, Dataset]:
    arrays = _arrays(path)
    names = next((names for names in (NPZ_SPLIT, NPZ_WHOLE) if set(names) <= arrays.keys()), None)
    if names is None:
        raise FileError(
            f"{path}: holds arrays {', '.join(sorted(arrays)) or 'none'}; name them {', '.join(NPZ_SPLIT)}, or {' and '.join(NPZ_WHOLE)}"
        )
    found = [arrays[name] for name in names]
    if names == NPZ_SPLIT:
        return _pair(path, path.stem, found)
    whole = _checked(path, path.stem, found[:2], _classes(found[1:]))
    if len(whole) < 2:
        raise FileError(f"{path}: holds 1 sample; give at least 2, or {', '.join(NPZ_SPLIT)}")
    return whole.split(len(whole) - max(1, len(whole) // 4))


# ---- IDX
def _idx(folder: Path, file: Path | None, name: str | None = None) -> tuple[Dataset, Dataset]:
    """The set in a folder, or the one that a file belongs to."""
    match = IDX_NAME.fullmatch(file.name) if file is not None else None
    if file is not None:
        if not _is(file, folder=False):
            raise FileError(f"{file}: no such file; give an .npz file, an IDX file, or the folder of four")
        if match is None:
            raise FileError(
                f"{file}: is neither an .npz file nor named as IDX files are, such as train-images-idx3-ubyte; save its samples as "
                f".npz with {', '.join(NPZ_SPLIT)}"
            )
    found = _idx_files(folder)
    if match is not None:
        found = {match["set"]: found[match["set"]]}
    if len(found) > 1:
        sets = ", ".join(sorted(name or "one without a prefix" for name in found))
        raise FileError(f"{folder}: holds IDX files of several sets ({sets}); give the path of one file")
    prefix, files = next(iter(found.items()), ("", {}))
    needed = [(part, what) for part in ("train", "test") for what in ("images", "labels")]
    for part, what in needed:
        if (part, what) not in files:
            raise FileError(
                f"{folder}: holds no {prefix}{part}-{what} in IDX format; a set is images and labels for training (train) and testing "
                "(t10k or test)"
            )
    arrays = [read_idx(files[key]) for key in needed]
    return _pair(folder, name or prefix.rstrip("-_.") or folder.resolve().name, arrays)


def _idx_files(folder: Path) -> dict[str, dict[tuple[str, str], Path]]:
    """Files by the set's prefix, then by part and content; a plain file wins over its packed twin."""
    try:
        paths = sorted(folder.iterdir(), reverse=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be read ({error.strerror}); check the path and its permissions") from None
    found: dict[str, dict[tuple[str, str], Path]] = {}
    for path in paths:
        match = IDX_NAME.fullmatch(path.name)
        if match:
            part = "train" if match["part"] == "train" else "test"
            found.setdefault(match["set"], {})[part, match["what"]] = path
    return found


# ---- both
def _classes(labels: Iterable[NDArray[np.generic]]) -> int:
    """One more than the largest label, as far as they are labels at all."""
    return max((int(array.max()) + 1 for array in labels if array.size and array.dtype.kind in "iu"), default=1)


def _pair(path: Path, name: str, arrays: list[NDArray[np.generic]]) -> tuple[Dataset, Dataset]:
    """Training and test samples, of one shape, with the same classes and the same top."""
    classes = _classes(arrays[1::2])
    train, test = (_checked(path, name, arrays[i : i + 2], classes) for i in (0, 2))
    if train.shape != test.shape:
        raise FileError(
            f"{path}: training samples have shape {train.shape}, test samples {test.shape}; give equal ones"
        )
    top = max(train.top, test.top)
    return replace(train, top=top), replace(test, top=top)


def _checked(path: Path, name: str, arrays: list[NDArray[np.generic]], classes: int) -> Dataset:
    try:
        return Dataset(arrays[0], arrays[1], name, classes)
    except StimulusError as error:
        raise FileError(f"{path}: {error}") from None

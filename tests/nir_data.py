"""NIR files of other frameworks, with the spikes those frameworks gave."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import neuroemu as ne

FOLDER = Path(__file__).parent / "data" / "nir"
CONVENTIONS: dict[str, dict[str, Any]] = {
    "00": {"spike_if": ">="},
    "01a": {"reset": "subtract", "reset_timing": "next"},
    "01b": {"reset": "subtract"},
    "01c": {},
    "01d": {"reset_timing": "next"},
    "02": {},
    "03": {},
    "04": {},
    "08": {"spike_if": ">=", "reset": "subtract", "gain": "unit"},
    "10": {"dt": 1e-3},
}
"""As each file's meta.json has them."""


@dataclass(frozen=True)
class Vector:
    """A file, its input and its own output, shape (ticks, samples, neurons), and labels where it classifies."""

    path: Path
    input: np.ndarray
    output: np.ndarray
    labels: np.ndarray | None

    def network(self, **conventions: Any) -> ne.Network:
        """The file read under these conventions; NIR's own warnings are not this test's matter."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ne.ConventionWarning)
            return ne.read_nir(self.path, **conventions)

    def wrong_bins(self, spikes: np.ndarray) -> float:
        """Share of (tick, sample, neuron) in which the spikes, shape (samples, ticks, neurons), differ from the file's own."""
        assert self.output.sum() > 10
        return float((spikes.transpose(1, 0, 2) != self.output).mean())


def vector(number: str) -> Vector:
    """The file whose folder starts with the number."""
    folder = next(FOLDER.glob(f"{number}_*"))
    data = np.load(folder / "data.npz")
    arrays = [data[key] if data[key].ndim > 2 else data[key][:, None] for key in ("input", "output")]
    arrays = [array.reshape(*array.shape[:2], -1) for array in arrays]
    return Vector(folder / "model.nir", *arrays, labels=data.get("labels"))

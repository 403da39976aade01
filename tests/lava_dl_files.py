"""Small .net files as lava-dl writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

Tree = dict[str, Any]
rng = np.random.default_rng(17)
CUBA = {"type": "CUBA", "iDecay": 1024, "vDecay": 300, "vThMant": 12, "refDelay": 1, "gradedSpike": False}
LOIHI = {"type": "LOIHI", "iDecay": 4096, "vDecay": 1024, "vThMant": 3, "refDelay": 1, "wgtExp": 0, "tauRho": 0.5, "scaleRho": 10.0,
         "theta": 192}  # fmt: skip


def kind(name: str) -> np.ndarray:
    """A layer's type as lava-dl writes it."""
    return np.array([name.encode()], "S10")


INPUT = {"type": kind("input"), "shape": np.array([2, 6, 5])}
CONV = {
    "type": kind("conv"), "shape": np.array([4, 3, 4]), "neuron": CUBA, "inChannels": 2, "outChannels": 4, "groups": 2,
    "kernelSize": np.array([3, 2]), "stride": np.array([2, 1]), "padding": np.array([1, 0]), "dilation": np.array([1, 1]),
    "weight": rng.integers(-5, 9, (4, 1, 3, 2, 1)).astype(np.float32), "bias": np.array([2, -1, 0, 3], np.float32),
}  # fmt: skip
POOL = {
    "type": kind("pool"), "shape": np.array([4, 1, 2]), "neuron": LOIHI, "kernelSize": np.array([2, 2]), "stride": np.array([2, 2]),
    "padding": np.array([0, 0]), "dilation": np.array([1, 1]), "weight": np.full((1, 1, 2, 2, 1), 4.0, np.float32),
}  # fmt: skip
FLATTEN = {"type": kind("flatten"), "shape": np.array([8, 1, 1])}
DENSE = {
    "type": kind("dense"), "shape": np.array([3]), "neuron": CUBA, "inFeatures": 8, "outFeatures": 3, "bias": np.array([0.0, 1.0, -2.0]),
    "weight": rng.integers(-12, 40, (3, 8)).astype(np.float32), "delay": np.array([0.0, 2.0, 1.0]),
}  # fmt: skip
LAYERS: Tree = {"0": INPUT, "1": CONV, "2": POOL, "3": FLATTEN, "4": DENSE}


def write(path: Path, layers: Tree) -> Path:
    """A .net file of these layers; a field of None is left out."""

    def put(group: Any, tree: Tree) -> None:
        for name, value in tree.items():
            if isinstance(value, dict):
                put(group.create_group(name), value)
            elif value is not None:
                group[name] = value

    with h5py.File(path, "w") as file:
        put(file, {"layer": layers, "simulation": {"Ts": 1, "tSample": 16}})
    return path

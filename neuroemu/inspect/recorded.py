"""Spikes that another framework recorded, brought into the shape that a simulation of the network gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import StimulusError
from neuroemu.network.network import LI, CubaLI, HostInput, Network


def recorded(
    network: Network, expected: ArrayLike | Mapping[str, ArrayLike], given: tuple[int, ...], lag: int = 0
) -> dict[str, Ints]:
    """Spikes of outputs, or of hidden populations by name, shape (presentations, rows - lag, neurons), from one array, or one an output.

    ``given`` is the input's (rows, presentations); an array has shape (rows, neurons...) or (rows, presentations,
    neurons...). The first ``lag`` rows are left out: row t of the input shows in row t + lag. Raises StimulusError.
    """
    if not 0 <= lag < given[0]:
        raise StimulusError(
            f"lag is {lag}, the input has {given[0]} rows; give the ticks by which the spikes are later"
        )
    if not isinstance(expected, Mapping):
        if len(network.outputs) != 1:
            raise StimulusError(
                f"the network has {len(network.outputs)} outputs ({', '.join(network.outputs) or 'none'}); "
                "give the expected spikes of one or more by name"
            )
        expected = {network.outputs[0]: expected}
    found = {}
    for name, value in expected.items():
        spiking = [p.name for p in network.populations if not isinstance(p.neuron, HostInput | LI | CubaLI)]
        if name not in [*spiking, *network.outputs]:
            raise StimulusError(
                f"expected spikes name '{name}', the network's spiking populations are: {', '.join(spiking) or 'none'}; name one of them"
            )
        if isinstance(network.population(name).neuron, LI | CubaLI):
            raise StimulusError(
                f"output '{name}' is a read-out that never spikes; match compares spikes, give those of a spiking output"
            )
        found[name] = _shaped(name, np.asarray(value), network.population(name).n, given)[:, lag:]
    if not any(array.any() for array in found.values()):
        raise StimulusError(
            "the expected spikes are all zero; silence proves no convention, give a recording that has spikes"
        )
    return found


def _shaped(name: str, array: np.ndarray[Any, Any], size: int, given: tuple[int, ...]) -> Ints:
    rows, n = given
    if array.dtype.kind not in "biuf":
        raise StimulusError(f"expected spikes of '{name}' have dtype {array.dtype}; give numbers")
    alone = n == 1 and array.ndim >= 2 and array.shape[0] == rows and array.size == rows * size
    many = array.ndim >= 3 and array.shape[:2] == given and array.size == rows * n * size
    if not (alone or many):
        raise StimulusError(
            f"expected spikes of '{name}' have shape {array.shape}, the input has {rows} rows of {n} presentations and '{name}' "
            f"{size} neurons; give (rows, neurons) or (rows, presentations, neurons)"
        )
    wrong = array != np.rint(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
    if np.any(wrong):
        raise StimulusError(
            f"expected spikes of '{name}' hold {array[wrong].flat[0]:g}; a bin holds a number of spikes, give integers"
        )
    return array.reshape(rows, n, size).transpose(1, 0, 2).astype(np.int64)

"""lava-dl's network exchange files (.net): layer after layer, integers as they are, for chip loihi1."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path

from neuroemu.base.errors import ConventionWarning, FileError, NetworkError
from neuroemu.base.hdf5 import Format, every_array, opened, tried
from neuroemu.network.network import HostInput, Network, Population, Projection
from neuroemu.netx.fields import Fields
from neuroemu.netx.layers import LAYERS, neuron_type, stated_shape

FORMAT = Format(".net", "lava-dl's export_hdf5")
INPUT = "input"
SUPPORTED = (INPUT, "flatten", *LAYERS)
MOST_LAYERS = 1000


def read_lava_dl(path: str | os.PathLike[str]) -> Network:
    """Read a network that lava-dl exported (``net.export_hdf5``) in register units, as Lava's integers have it on Loihi.

    Feed-forward layers input, dense, conv, pool and flatten of LOIHI or CUBA neurons. Populations are called by type and number
    (``dense3``), the host's is ``input`` of the shape (channels, rows, columns) or (values,); the last layer is the output. Compile
    it for loihi1; with ``align=False`` every layer runs from step 0 as in Lava, by default a presentation reaches each layer
    with its state at rest, as with Lava's ``reset_interval``. Warns (ConventionWarning) where the file's input layer has
    neurons of its own: they turn images into spikes, and the network takes their spikes.

    Raises FileError for a file that is no HDF5 file with layers, NetworkError for what is not imported or not in range.
    """
    if not Path(path).is_file():
        raise FileError(f"{path}: no such file; give the path of a .net file that lava-dl exported")
    problem = tried(path, FORMAT, lambda: opened(path, FORMAT, every_array))
    if problem is not None:
        raise problem
    network = opened(path, FORMAT, lambda file: _network(Fields(file, str(path)).group_of("layer"), str(path)))
    for note in network.notes:
        warnings.warn(note, ConventionWarning, stacklevel=2)
    return network


def _network(layers: Fields, path: str) -> Network:
    numbers = [str(k) for k in range(len(layers.names()))]
    if not 1 <= len(numbers) <= MOST_LAYERS or set(numbers) != set(layers.names()):
        raise NetworkError(
            f"{path}: layers are not numbered 0 to {len(numbers) - 1}, or more than {MOST_LAYERS}; export it again"
        )
    first, *others = (layers.group_of(k) for k in numbers)
    for number, fields in zip(numbers, (first, *others), strict=True):
        fields.place = f"{path}: layer {number}"
    shape, notes = _input(first)
    populations, projections = [Population(INPUT, shape, HostInput())], []
    rest = others if first.text("type") == INPUT else [first, *others]
    for number, fields in zip(numbers[len(numbers) - len(rest) :], rest, strict=True):
        kind = _supported(fields)
        if kind == "flatten":
            shape = (math.prod(shape),)
            continue
        layer = LAYERS[kind](fields, shape)
        shape, name = layer.shape, f"{kind}{number}"
        projections.append(Projection(populations[-1].name, name, layer.weight, delay=layer.delay))
        populations.append(Population(name, shape, layer.neuron))
    if not projections:
        raise NetworkError(f"{path}: has no layer with neurons; neuroemu imports {', '.join(LAYERS)}")
    return Network(tuple(populations), tuple(projections), (populations[-1].name,), notes=notes)


def _input(first: Fields) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The shape of what the host sends: an input layer's, or as many values as a dense first layer takes; and what to say of it."""
    kind = _supported(first, first=True)
    if kind == INPUT:
        first.only(("type", "shape", "neuron", "weight", "bias"))
        shape = stated_shape(first)
        if "neuron" not in first.names():
            return shape, ()
        neuron_type(first.group_of("neuron"))
        left_out = (
            "the input layer's neurons, which turn images into spikes, are left out: the network takes their spikes"
        )
        return shape, (f"{first.place}: {left_out}",)
    if kind != "dense":
        raise first.refuse(
            f"the first layer is a {kind}, which does not say what feeds it; put an input layer before it"
        )
    return (first.one("inFeatures", 1, 1 << 24),), ()


def _supported(fields: Fields, first: bool = False) -> str:
    kind = fields.text("type")
    if kind not in SUPPORTED:
        raise fields.refuse(f"type is '{kind}', which is not imported; neuroemu imports {', '.join(SUPPORTED)}")
    if kind == INPUT and not first:
        raise fields.refuse("is a second input layer; a network has one, as its layer 0")
    return kind

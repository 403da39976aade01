"""Layers of a lava-dl network as populations and projections in register units.

Values are kept flat in the order channel, row, column, as lava-dl's flatten has them. A neuron is Lava's LIF in integers:

    u(t) = u(t-1) (4096 - iDecay) / 4096 + 64 sum of weights;   v(t) = v(t-1) (4096 - vDecay) / 4096 + u(t) + 64 bias
    a spike and v = 0 if v > 64 vThMant, both decays toward zero
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.network.network import Firmware, Sparse
from neuroemu.netx.fields import Fields
from neuroemu.nir.convolution import Shape, SlidingWindow, check_window, convolve

UNIT = 64
"""Register units in one of a bias or a threshold; the chip shifts weights by as much itself."""
WEIGHTS = (-256, 255)
"""Nine bits with sign, a chip's weights."""
BIASES = (-4096, 4095)
"""Thirteen bits with sign, the mantissa of a chip's bias."""
THRESHOLDS = (0, 131071)
"""Seventeen bits, the mantissa of a chip's threshold."""
DELAYS = (0, 62)
DECAYS = (0, 4096)
WINDOW = (1, 1 << 16)
SPIKING = ("LOIHI", "CUBA")
NEURON_FIELDS = ("type", "iDecay", "vDecay", "vThMant", "refDelay", "wgtExp", "gradedSpike", "messageBits", "weight_exp",
                 "tauRho", "scaleRho", "theta")  # fmt: skip
"""The last three are for training and say nothing about inference."""
COMMON = ("type", "shape", "neuron", "weight", "bias", "delay")


@dataclass(frozen=True, eq=False)
class Layer:
    """What a layer makes of the values that feed it: its shape, its neurons, its synapses and their delay in ticks."""

    shape: tuple[int, ...]
    neuron: Firmware
    weight: Any
    delay: Any = 0


def dense(fields: Fields, fed: tuple[int, ...]) -> Layer:
    """Every neuron fed by every value. weight (out, in); delay: one, one an output or one an input, as Lava takes them."""
    fields.only((*COMMON, "inFeatures", "outFeatures"))
    weight = fields.whole("weight", *WEIGHTS)
    if weight.ndim > 2 and math.prod(weight.shape[2:]) == 1:
        weight = weight.reshape(weight.shape[:2])
    if weight.ndim != 2 or weight.shape[1] != math.prod(fed):
        raise fields.refuse(
            f"weight has shape {weight.shape}, it is fed {math.prod(fed)} values; give (outputs, inputs), after a flatten if it is "
            "fed planes"
        )
    _stated(fields, {"inFeatures": weight.shape[1], "outFeatures": weight.shape[0]})
    shape = _shape(fields, (weight.shape[0],))
    return Layer(shape, _neuron(fields, shape), weight.T, _delays(fields, weight))


def conv(fields: Fields, fed: tuple[int, ...]) -> Layer:
    """A convolution, correlating as PyTorch does. weight (out, in / groups, rows, columns)."""
    fields.only((*COMMON, "inChannels", "outChannels", "kernelSize", "stride", "padding", "dilation", "groups"))
    plane, weight = _plane(fields, fed), _kernel(fields)
    groups = fields.one("groups", 1, weight.shape[0], 1)
    if weight.shape[0] % groups or weight.shape[1] * groups != plane[0]:
        raise fields.refuse(
            f"weight has shape {weight.shape} in {groups} groups, it is fed {plane[0]} channels; give (outputs, inputs / groups, "
            "rows, columns)"
        )
    _stated(fields, {"inChannels": plane[0], "outChannels": weight.shape[0]})
    return _windowed(fields, plane, weight, groups, fields.pair("stride", *WINDOW, 1))


def pool(fields: Fields, fed: tuple[int, ...]) -> Layer:
    """Every channel's windows summed, times one weight, (1, 1, rows, columns)."""
    fields.only((*COMMON, "kernelSize", "stride", "padding", "dilation"))
    plane, weight = _plane(fields, fed), _kernel(fields)
    if weight.shape[:2] != (1, 1):
        raise fields.refuse(f"weight has shape {weight.shape}; give (1, 1, rows, columns), the same for all channels")
    return _windowed(fields, plane, np.repeat(weight, plane[0], axis=0), plane[0], fields.pair("stride", *WINDOW))


LAYERS: Mapping[str, Callable[[Fields, tuple[int, ...]], Layer]] = {"dense": dense, "conv": conv, "pool": pool}
"""Layers with neurons, by type."""


def neuron_type(fields: Fields) -> str:
    """The kind of a layer's neurons. Raises NetworkError for one that is not imported."""
    kind = fields.text("type")
    if kind not in SPIKING:
        raise fields.refuse(
            f"type is '{kind}', which is not imported; neuroemu imports {' and '.join(SPIKING)} neurons"
        )
    return kind


# ---- neurons
def _neuron(fields: Fields, shape: tuple[int, ...]) -> Firmware:
    stated = fields.group_of("neuron")
    neuron_type(stated)
    stated.only(NEURON_FIELDS)
    for name, usual, what in (
        ("refDelay", 1, "a refractory period of more than one step"),
        ("wgtExp", 0, "a weight exponent"),
        ("weight_exp", 0, "a weight exponent"),
        ("gradedSpike", 0, "graded spikes"),
        ("messageBits", 0, "graded spikes"),
    ):
        if (value := stated.one(name, -128, 128, usual)) != usual:
            raise stated.refuse(f"{name} is {value}, which asks for {what}; neuroemu imports {usual} only")
    return Firmware(
        "cuba_lif",
        {
            "decay_u": _spread(stated, "iDecay", shape, DECAYS),
            "decay_v": _spread(stated, "vDecay", shape, DECAYS),
            "threshold": _spread(stated, "vThMant", shape, THRESHOLDS) * UNIT,
            "bias": _spread(fields, "bias", shape, BIASES, 0) * UNIT,
        },
    )


def _spread(
    fields: Fields, name: str, shape: tuple[int, ...], limits: tuple[int, int], default: int | None = None
) -> Ints:
    """One value for all, one a channel or one a neuron, as one a neuron, flat."""
    values = fields.whole(name, *limits, default).ravel()
    if values.size not in (1, shape[0], math.prod(shape)):
        raise fields.refuse(
            f"{name} has {values.size} values for neurons of shape {shape}; give one, one a channel or one a neuron"
        )
    return np.repeat(values, math.prod(shape) // values.size)


# ---- synapses
def _windowed(fields: Fields, plane: Shape, weight: Ints, groups: int, stride: tuple[int, int]) -> Layer:
    """A kernel that slides over planes."""
    kernel = (weight.shape[2], weight.shape[3])
    if "kernelSize" in fields.names() and fields.pair("kernelSize", *WINDOW) != kernel:
        raise fields.refuse(f"kernelSize is not that of weight {weight.shape}; correct one of them")
    if np.any(fields.whole("delay", *DELAYS, 0)):
        raise fields.refuse(
            "has delays, which Lava leaves out of convolutions and pools; set them to 0, or remove them"
        )
    padding = fields.pair("padding", 0, WINDOW[1], 0)
    window = SlidingWindow(kernel, stride, fields.pair("dilation", *WINDOW, 1), padding, padding)
    check_window("", "layer", window, plane, weight.size, lambda _, text: fields.refuse(text))
    made = convolve(weight.astype(np.float64), groups, plane, window, fields.place)
    shape = _shape(fields, made.shape)
    _, shared = np.unique(made.entries.tag, return_inverse=True)
    lists = Sparse(made.entries.pre, made.entries.post, made.entries.weight.astype(np.int64), shared=shared.ravel())
    return Layer(shape, _neuron(fields, shape), lists)


def _kernel(fields: Fields) -> Ints:
    """The weight with four axes; files have a fifth, of time, which is 1."""
    weight = fields.whole("weight", *WEIGHTS)
    if weight.ndim == 5 and weight.shape[4] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4:
        raise fields.refuse(f"weight has shape {weight.shape}; give (outputs, inputs, rows, columns)")
    return weight


def _delays(fields: Fields, weight: Ints) -> Any:
    values = fields.whole("delay", *DELAYS, 0)
    if values.size == 1:
        return int(values.ravel()[0])
    if values.shape == weight.shape:
        return values.T
    if values.size == weight.shape[0]:
        return np.broadcast_to(values.ravel(), weight.T.shape)
    if values.size == weight.shape[1]:
        return np.broadcast_to(values.reshape(-1, 1), weight.T.shape)
    raise fields.refuse(
        f"delay has {values.size} values for a weight of shape {weight.shape}; give one, one an output or one an input"
    )


# ---- shapes
def _plane(fields: Fields, fed: tuple[int, ...]) -> Shape:
    if len(fed) != 3:
        raise fields.refuse(f"is fed values of shape {fed}; this layer takes (channels, rows, columns)")
    return fed[0], fed[1], fed[2]


def _shape(fields: Fields, made: tuple[int, ...]) -> tuple[int, ...]:
    """The shape a layer has; the file's must be it, but for ones."""
    stated = stated_shape(fields)
    if tuple(n for n in stated if n != 1) != tuple(n for n in made if n != 1):
        raise fields.refuse(f"shape is {stated}, its weight gives {made}; correct one of them")
    return made


def stated_shape(fields: Fields) -> tuple[int, ...]:
    """The field shape: (values), or (channels, rows, columns)."""
    sizes = fields.whole("shape", 1, 1 << 24)
    if sizes.size > 3 or math.prod(sizes.ravel().tolist()) > 1 << 24:
        raise fields.refuse(
            f"shape is {sizes.ravel().tolist()}; give (values) or (channels, rows, columns), at most {1 << 24} values"
        )
    return tuple(int(n) for n in sizes.ravel())


def _stated(fields: Fields, actual: Mapping[str, int]) -> None:
    for name, value in actual.items():
        if name in fields.names() and (said := fields.one(name, 0, 1 << 31)) != value:
            raise fields.refuse(f"{name} is {said}, its weight has {value}; correct one of them")

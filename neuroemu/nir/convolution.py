"""Convolutions and pooling as sparse matrices over flat, C-ordered values, with weights that are stored once (NIR's 2d nodes)."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuroemu.base.arrays import Floats, Ints
from neuroemu.nir.checks import Refuse
from neuroemu.nir.linear import Entries, factor_tags, tags

Shape = tuple[int, int, int]
"""Channels, height, width."""
Pair = tuple[int, int]
MOST_TAPS = 1 << 25
"""Pairs of a value and a weight that a node lays out as a sparse map; each takes about a hundred bytes on the way."""


@dataclass(frozen=True, eq=False)
class Plane:
    """What a node does to ``n_in`` flat values, and the shape of what it gives."""

    entries: Entries
    n_in: int
    shape: Shape


@dataclass(frozen=True)
class SlidingWindow:
    """A kernel that slides over a plane: its size, stride, dilation, and padding before and after, each by axis."""

    size: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    before: Pair = (0, 0)
    after: Pair = (0, 0)

    def output(self, height: int, width: int) -> Pair:
        """Positions along each axis: floor((n + padding - dilation (size - 1) - 1) / stride) + 1; below 1 if it never fits."""
        rows, columns = (
            (n + self.before[k] + self.after[k] - self.dilation[k] * (self.size[k] - 1) - 1) // self.stride[k] + 1
            for k, n in enumerate((height, width))
        )
        return rows, columns

    def taps(self, axis: int, n_in: int, n_out: int) -> tuple[Ints, Ints, Ints]:
        """Input, output and kernel position of every tap that falls inside the input."""
        out, tap = (a.ravel() for a in np.indices((n_out, self.size[axis])))
        source = out * self.stride[axis] + tap * self.dilation[axis] - self.before[axis]
        inside = (source >= 0) & (source < n_in)
        return source[inside], out[inside], tap[inside]


def convolve(weight: Floats, groups: int, shape: Shape, window: SlidingWindow, node: str) -> Plane:
    """A convolution of weight (n_out, n_in / groups, rows, columns), correlating as the frameworks do.

    The node's name keeps its weights apart from those of other nodes.
    """
    n_out, per_group = weight.shape[:2]
    rows, columns = window.output(*shape[1:])
    y_in, y_out, y_tap = window.taps(0, shape[1], rows)
    x_in, x_out, x_tap = window.taps(1, shape[2], columns)
    channel, k = (a.ravel() for a in np.indices((n_out, per_group)))
    source = channel // (n_out // groups) * per_group + k
    c, y, x = (a.ravel() for a in np.indices((channel.size, y_in.size, x_in.size)))
    pre = (source[c] * shape[1] + y_in[y]) * shape[2] + x_in[x]
    post = (channel[c] * rows + y_out[y]) * columns + x_out[x]
    stored = np.ravel_multi_index((channel[c], k[c], y_tap[y], x_tap[x]), weight.shape)
    used = weight.ravel()[stored] != 0
    pre, post, stored = pre[used], post[used], stored[used]
    label = stored.astype(np.uint64) + (np.uint64(1 + zlib.crc32(node.encode())) << np.uint64(31))
    entries = Entries(pre, post, weight.ravel()[stored], tags(label))
    return Plane(entries, math.prod(shape), (n_out, rows, columns))


def pool(value: float, shape: Shape, window: SlidingWindow) -> Plane:
    """Every channel's windows summed and multiplied by ``value``; zeros beyond the border count as inputs."""
    channels = shape[0]
    kernel = np.full((channels, 1, *window.size), value)
    plane = convolve(kernel, channels, shape, window, "")
    return replace(plane, entries=replace(plane.entries, tag=factor_tags(plane.entries.weight)))


def flattened(shape: tuple[int, ...], node: Any) -> tuple[int, ...]:
    """The shape with the dimensions from start_dim to end_dim made one. Files number them with and without a batch dimension."""
    stated = () if node.output_type["output"] is None else tuple(int(n) for n in np.ravel(node.output_type["output"]))
    if stated and math.prod(stated) == math.prod(shape):
        return stated
    return (math.prod(shape),)


def plane_map(name: str, node: Any, fed: tuple[int, ...], refuse: Refuse) -> Plane:
    """The map of a Conv2d, SumPool2d or AvgPool2d node that is fed values of shape ``fed``.

    Raises NetworkError, made by ``refuse(node, text)``.
    """
    kind = type(node).__name__
    if kind == "Conv2d":
        return _convolution(name, node, fed, refuse)
    size = _pair(node.kernel_size)
    window = SlidingWindow(size, _pair(node.stride), (1, 1), _pair(node.padding), _pair(node.padding))
    if len(fed) != 3:
        raise refuse(name, f"is fed values of shape {fed}; a {kind} takes (channels, rows, columns)")
    shape = (fed[0], fed[1], fed[2])
    check_window(name, kind, window, shape, shape[0] * math.prod(size), refuse)
    return pool(1.0 if kind == "SumPool2d" else 1.0 / math.prod(size), shape, window)


def _convolution(name: str, node: Any, fed: tuple[int, ...], refuse: Refuse) -> Plane:
    weight, groups = np.asarray(node.weight, np.float64), int(node.groups)
    if weight.ndim != 4:
        raise refuse(name, f"weight has shape {weight.shape}; a Conv2d takes (outputs, inputs / groups, rows, columns)")
    n_out, n_in = weight.shape[0], weight.shape[1] * groups
    if groups < 1 or n_out % groups:
        raise refuse(name, f"has {n_out} output channels in {groups} groups; choose groups that divide them")
    if len(fed) == 1 and node.input_shape is not None:
        fed = (n_in, *_pair(node.input_shape))  # a flat source; the sizes are compared where the map is used
    if len(fed) != 3:
        raise refuse(name, f"is fed values of shape {fed}; a Conv2d takes (channels, rows, columns)")
    if fed[0] != n_in:
        raise refuse(name, f"takes {n_in} channels, it is fed {fed[0]}; correct the shapes")
    stride, dilation = _pair(node.stride), _pair(node.dilation)
    size = (weight.shape[2], weight.shape[3])
    before, after = _padding(name, node.padding, size, stride, dilation, refuse)
    window = SlidingWindow(size, stride, dilation, before, after)
    shape = (fed[0], fed[1], fed[2])
    check_window(name, "Conv2d", window, shape, weight.size, refuse)
    return convolve(weight, groups, shape, window, name)


def _padding(name: str, padding: Any, size: Pair, stride: Pair, dilation: Pair, refuse: Refuse) -> tuple[Pair, Pair]:
    """Zeros before and after, by axis; 'same' keeps the size, its odd zero after, as PyTorch does."""
    text = padding.decode() if isinstance(padding, bytes) else padding
    if not isinstance(text, str):
        return _pair(text), _pair(text)
    if text == "valid":
        return (0, 0), (0, 0)
    if text != "same":
        raise refuse(name, f"padding is '{text}'; give numbers, 'same' or 'valid'")
    if stride != (1, 1):
        raise refuse(name, f"padding is 'same' at stride {stride}; 'same' is for stride 1, give numbers")
    total = [d * (n - 1) for d, n in zip(dilation, size, strict=True)]
    return (total[0] // 2, total[1] // 2), (total[0] - total[0] // 2, total[1] - total[1] // 2)


def check_window(name: str, kind: str, window: SlidingWindow, shape: Shape, weights: int, refuse: Refuse) -> None:
    """Raise NetworkError, made by ``refuse(node, text)``, for a window that cannot slide over a plane of this shape, and for more
    multiplications, of so many weights a position, than are laid out."""
    numbers = (*window.size, *window.stride, *window.dilation)
    if min(numbers) < 1 or min(*window.before, *window.after) < 0:
        raise refuse(name, f"has a kernel, stride or dilation below 1, or a padding below 0; correct the {kind}")
    rows, columns = window.output(*shape[1:])
    if min(rows, columns) < 1:
        raise refuse(
            name, f"a kernel of {window.size} does not fit into {shape[1:]} with this padding; correct the {kind}"
        )
    taps = weights * rows * columns
    if taps > MOST_TAPS:
        raise refuse(
            name, f"takes {taps} multiplications a tick, at most {MOST_TAPS} are laid out; make the {kind} smaller"
        )


def _pair(value: Any) -> Pair:
    array = np.broadcast_to(np.asarray(value, np.int64).ravel(), 2)
    return int(array[0]), int(array[1])

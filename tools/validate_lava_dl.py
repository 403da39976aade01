"""Replay lava-dl's recordings, integers as they are, and count the values of u, v and spikes that differ.

usage: python tools/validate_lava_dl.py PATH [--chip loihi1] [--engine cpu]

PATH is an .npz with arrays made from the ground truth of lava-dl's own tests (lava-nc/lava-dl, BSD-3, tests of netx, pilotnet_lif):
for each layer NAME in order, NAME.s (x, y, channel, step) or (neuron, step), bool; for each but the first, whose spikes are the
input, also NAME.u and NAME.v of that shape, NAME.weight (out, in, y, x) or (out, in), NAME.bias (out) and, of a convolution,
NAME.stride, NAME.padding and NAME.dilation (y, x). A layer is fed the spikes that were recorded of the layer before.

PATH may also be the folder tests/lava/lib/dl/netx of a lava-dl checkout: then tiny.net is read by ne.read_lava_dl and run on the input
in gts/tinynet; the spikes of its two layers, and the current of the first, are compared. The recording's first step, in which
nothing runs, is left out.

The neurons' constants are not in the .npz: they are options, and their defaults are PilotNet's. v is compared with 128 at a
spike, because that is what the recording (as the chip's probe) shows there. Exit code 0: nothing differs; 1: something does;
2: no such recording.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neuroemu as ne
from neuroemu.base.errors import FileError
from neuroemu.base.reading import load_arrays

PROBE_AT_SPIKE = 128
UNIT = 64
"""Loihi's shift by 6: register units in one unit of a bias or a threshold."""
Array = NDArray[Any]


@dataclass(frozen=True)
class Constants:
    """What the arrays do not say: decays of 4096, the threshold in units of 64, steps between restarts of the state."""

    decay_u: int
    decay_v: int
    threshold: int
    restart: int


@dataclass(frozen=True)
class Row:
    """One layer's values and how many of them differ."""

    layer: str
    neurons: int
    cores: int
    spikes: int
    compared: int
    u: int | None
    v: int | None
    s: int


def read(path: Path) -> dict[str, Array]:
    """The file's arrays. Raises FileError if they are not those of a recording."""
    if not path.is_file():
        raise FileError(
            f"{path}: no such file; give the .npz with a recording of PilotNet, or lava-dl's folder tests/lava/lib/dl/netx"
        )
    try:
        arrays = load_arrays(path)
    except (OSError, ValueError, MemoryError):
        arrays = {}
    if not isinstance(arrays, dict) or not arrays:
        raise FileError(f"{path}: is no .npz; give the .npz with a recording of lava-dl's PilotNet")
    names = layers(arrays)
    if len(names) < 2:
        raise FileError(f"{path}: holds spikes (NAME.s) of {len(names)} layers; a recording has two layers or more")
    for before, name in itertools.pairwise(names):
        wrong = fault(arrays, before, name)
        if wrong:
            raise FileError(f"{path}: layer '{name}': {wrong}; see --help for the arrays of a recording")
    return arrays


def layers(arrays: dict[str, Array]) -> list[str]:
    """Layers in the order of the file."""
    return [name.removesuffix(".s") for name in arrays if name.endswith(".s")]


def fault(arrays: dict[str, Array], before: str, name: str) -> str:
    """What is wrong with a layer's arrays, or nothing."""
    conv = arrays.get(f"{name}.weight", np.zeros(0)).ndim == 4
    wanted = ["u", "v", "weight", "bias", *(("stride", "padding", "dilation") if conv else ())]
    for key in wanted:
        array = arrays.get(f"{name}.{key}")
        if array is None:
            return f"has no array '{name}.{key}'"
        if array.dtype.kind not in "iu":
            return f"'{name}.{key}' holds {array.dtype}, not integers"
    spikes, fed, weight = arrays[f"{name}.s"], arrays[f"{before}.s"], arrays[f"{name}.weight"]
    if weight.ndim not in (2, 4) or spikes.ndim != (4 if conv else 2) or (conv and fed.ndim != 4):
        return f"weight has shape {weight.shape} between spikes of shapes {fed.shape} and {spikes.shape}"
    if any(arrays[f"{name}.{key}"].shape != spikes.shape for key in "uv") or fed.shape[-1] != spikes.shape[-1]:
        return "u, v, spikes and the spikes before are not of one shape and length"
    if (
        any(arrays[f"{name}.{key}"].shape != (2,) for key in wanted[4:])
        or arrays[f"{name}.bias"].shape != weight.shape[:1]
    ):
        return f"bias, stride, padding or dilation do not suit a weight of shape {weight.shape}"
    if conv and expected_size(arrays, before, name) != (*spikes.shape[:2], spikes.shape[2], fed.shape[2]):
        return f"a convolution of {fed.shape[:3]} with this kernel does not give {spikes.shape[:3]}"
    if not conv and weight.shape != (spikes.shape[0], fed[..., 0].size):
        return f"weight has shape {weight.shape}, not ({spikes.shape[0]}, {fed[..., 0].size})"
    return ""


def expected_size(arrays: dict[str, Array], before: str, name: str) -> tuple[int, ...]:
    """Columns and rows a convolution gives, its outputs and inputs; -1 if its window is none."""
    weight = arrays[f"{name}.weight"]
    stride, padding, dilation = (arrays[f"{name}.{key}"].tolist() for key in ("stride", "padding", "dilation"))
    if min(*stride, *dilation) < 1 or min(padding) < 0:
        return (-1,)
    sizes = arrays[f"{before}.s"].shape[1::-1]
    y, x = ((sizes[k] + 2 * padding[k] - dilation[k] * (weight.shape[2 + k] - 1) - 1) // stride[k] + 1 for k in (0, 1))
    return x, y, weight.shape[0], weight.shape[1]


def flat(recorded: Array) -> Array:
    """Values of shape (neuron, step), listed x, y, channel: so a run of neurons needs few axons on a core."""
    return recorded.reshape(-1, recorded.shape[-1])


def synapses(arrays: dict[str, Array], before: str, name: str) -> ne.Sparse | Array:
    """A layer's weights: a matrix (pre, post), or lists with the kernel's entries shared.

    A dense layer after a convolution takes its values in the order channel, y, x.
    """
    weight, fed = arrays[f"{name}.weight"].astype(np.int64), arrays[f"{before}.s"].shape[:-1]
    if weight.ndim == 2:
        order = np.arange(np.prod(fed)).reshape(fed).transpose().ravel()
        matrix = np.zeros((weight.shape[1], weight.shape[0]), np.int64)
        matrix[order] = weight.T
        return matrix
    stride, padding, dilation = (arrays[f"{name}.{key}"].tolist() for key in ("stride", "padding", "dilation"))
    made = arrays[f"{name}.s"].shape[:-1]
    x, y, out, c, ky, kx = (axis.ravel() for axis in np.indices((*made, *weight.shape[1:])))
    y_in, x_in = y * stride[0] + ky * dilation[0] - padding[0], x * stride[1] + kx * dilation[1] - padding[1]
    kernel = np.ravel_multi_index((out, c, ky, kx), weight.shape)
    used = (x_in >= 0) & (x_in < fed[0]) & (y_in >= 0) & (y_in < fed[1]) & (weight.ravel()[kernel] != 0)
    pre = np.ravel_multi_index((x_in[used], y_in[used], c[used]), fed)
    post = np.ravel_multi_index((x[used], y[used], out[used]), made)
    return ne.Sparse(pre, post, weight.ravel()[kernel[used]], shared=kernel[used])


def windows(steps: int, first: int, restart: int) -> list[tuple[int, int]]:
    """Stretches of steps between restarts of the state: presentations here."""
    edges = [0, *range(first, steps, restart), steps]
    return list(itertools.pairwise(edges))


def network_of(arrays: dict[str, Array], before: str, name: str, constants: Constants) -> ne.Network:
    """One layer, fed by the host, in register units."""
    recorded, bias = arrays[f"{name}.s"], arrays[f"{name}.bias"].astype(np.int64) * UNIT
    params = {
        "decay_u": constants.decay_u,
        "decay_v": constants.decay_v,
        "bias": np.broadcast_to(bias, recorded.shape[:-1]).ravel(),
        "threshold": constants.threshold * UNIT,
    }
    n_in, n = (flat(arrays[f"{layer}.s"]).shape[0] for layer in (before, name))
    return ne.Network(
        [ne.Population("in", n_in, ne.HostInput()), ne.Population("layer", n, ne.Firmware("cuba_lif", params))],
        [ne.Projection("in", "layer", synapses(arrays, before, name))],
        outputs=["layer"],
        probes=[("layer", "u"), ("layer", "v")],
    )


def replay(arrays: dict[str, Array], before: str, name: str, first: int, constants: Constants, how: Any) -> Row:
    """Run a layer on the recorded spikes of the layer before and count what differs.

    The state restarts at step ``first`` and every ``constants.restart`` after it: each stretch is a presentation.
    """
    fed, recorded = flat(arrays[f"{before}.s"]).astype(np.int64), flat(arrays[f"{name}.s"]) != 0
    n, steps = recorded.shape
    image = ne.compile(network_of(arrays, before, name, constants), ne.load_chip(how.chip))
    parts = windows(steps, first, constants.restart)
    inputs = np.zeros((max(end - start for start, end in parts), len(parts), fed.shape[0]), np.int64)
    for k, (start, end) in enumerate(parts):  # a spike arrives a step after it was sent
        rows = np.arange(max(start, 1), end)
        inputs[rows - start, k] = fed[:, rows - 1].T
    run = ne.run(image, inputs, engine=how.engine)
    fired = np.zeros((len(parts), inputs.shape[0] + 1, n), bool)
    fired[run.spikes.presentation, run.spikes.tick, run.spikes.neuron - fed.shape[0]] = True

    def joined(values: Array) -> Array:
        """Values (presentation, tick, neuron) as (neuron, step); a row's spikes arrive in the next tick."""
        return np.concatenate([values[k, 1 : 1 + end - start] for k, (start, end) in enumerate(parts)]).T

    spikes = joined(fired)
    v = np.where(spikes, PROBE_AT_SPIKE, joined(run.probes["layer", "v"]))
    wrong_u = joined(run.probes["layer", "u"]) != flat(arrays[f"{name}.u"])
    wrong = [int(array.sum()) for array in (wrong_u, v != flat(arrays[f"{name}.v"]), spikes != recorded)]
    return Row(name, n, image.n_cores, int(recorded.sum()), 3 * recorded.size, *wrong)


def tiny_arrays(folder: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    """The recording of tiny.net, (neuron, step) by name, each without its first step. Raises FileError."""
    found = {}
    for name, shape in shapes.items():
        path = folder / "gts" / "tinynet" / f"{name}.npy"
        try:
            array = load_arrays(path)
        except (OSError, ValueError, MemoryError):
            array = {}
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf" or array.shape[:-1] != (1, *shape):
            raise FileError(
                f"{path}: is no array of numbers of shape (1, {', '.join(map(str, shape))}, steps); check out lava-dl again"
            )
        found[name] = flat(array[0])[:, 1:]
    if len({array.shape[1] for array in found.values()}) != 1 or found["input"].shape[1] < 1:
        raise FileError(f"{folder / 'gts' / 'tinynet'}: holds arrays of different lengths; check out lava-dl again")
    return found


def replay_tiny(folder: Path, how: Any) -> list[Row]:
    """Read tiny.net, run it on the recorded input and count what differs."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ne.ConventionWarning
        )  # the input layer's neurons are left out: the recording is of spikes
        network = ne.read_lava_dl(folder / "tiny.net")
    if len(network.populations) != 3 or any(len(population.shape) != 3 for population in network.populations):
        raise FileError(f"{folder / 'tiny.net'}: is not the network of two convolutions; check out lava-dl again")
    shapes = {name: p.shape for name, p in zip(("input", "layer1", "output"), network.populations, strict=True)}
    recorded = tiny_arrays(folder, shapes | {"current": shapes["layer1"]})
    steps, first = recorded["input"].shape[1], network.populations[1].name
    network = replace(network, probes=((first, "u"),))
    image = ne.compile(network, ne.load_chip(how.chip))
    run = ne.run(image, (recorded["input"] != 0).astype(np.int64).T[:, None], engine=how.engine)
    fired = np.zeros((sum(p.n for p in network.populations), run.ticks), bool)
    fired[run.spikes.neuron, run.spikes.tick] = True
    rows, start = [], network.populations[0].n
    for age, name in enumerate(("layer1", "output"), 1):
        n, wanted = recorded[name].shape[0], recorded[name] != 0
        wrong = int((fired[start : start + n, age : age + steps] != wanted).sum())
        u = UNIT * recorded["current"] != run.probes[first, "u"][0, age : age + steps].T if age == 1 else None
        wrong_u = None if u is None else int(u.sum())
        compared = wanted.size * (1 if u is None else 2)
        rows.append(Row(name, n, image.n_cores, int(wanted.sum()), compared, wrong_u, None, wrong))
        start += n
    return rows


def table(rows: list[Row]) -> str:
    """The rows as text, with their sum; what was not recorded is a dash."""
    lines = [("layer", "neurons", "cores", "spikes", "values", "u differ", "v differ", "spikes differ")]
    for row in [*rows, total(rows)]:
        cells = (row.layer, row.neurons, row.cores or None, row.spikes, row.compared, row.u, row.v, row.s)
        lines.append(tuple("-" if cell is None else str(cell) for cell in cells))
    widths = (10, 9, 7, 9, 11, 10, 10, 15)
    return "\n".join(
        "".join(
            cell.ljust(width) if not k else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def total(rows: list[Row]) -> Row:
    """The sum of all rows."""
    sums = (sum(getattr(row, key) or 0 for row in rows) for key in ("spikes", "compared", "u", "v", "s"))
    return Row("all", sum(row.neurons for row in rows), 0, *sums)


def replay_pilot(how: Any) -> tuple[str, list[Row]]:
    """The recording of PilotNet: what is said of it, and its layers."""
    arrays = read(how.path)
    names = layers(arrays)
    constants = Constants(how.decay_u, how.decay_v, how.threshold, how.restart)
    # the state of layer k, counted from 1 with the recorded input, restarts at step k + 1
    rows = [
        replay(arrays, before, name, number + 3, constants, how)
        for number, (before, name) in enumerate(itertools.pairwise(names))
    ]
    return f"{len(names)} layers on {how.chip}, engine {how.engine}; {names[0]} is the input", rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--chip", default="loihi1")
    parser.add_argument("--engine", default="cpu")
    parser.add_argument(
        "--decay-u", type=int, default=4096, help="of 4096; all of it by default: a current without memory"
    )
    parser.add_argument("--decay-v", type=int, default=1024, help="of 4096")
    parser.add_argument("--threshold", type=int, default=25, help="in units of 64, as biases are")
    parser.add_argument("--restart", type=int, default=17, help="steps from one restart of the state to the next")
    how = parser.parse_args()
    if how.restart < 1:
        parser.error(f"--restart is {how.restart}; give at least 1 step")
    try:
        if (how.path / "tiny.net").is_file():
            said, rows = f"tiny.net on {how.chip}, engine {how.engine}", replay_tiny(how.path, how)
        else:
            said, rows = replay_pilot(how)
    except ne.NeuroemuError as error:
        print(error, file=sys.stderr)
        return 2
    wrong = total(rows)
    differ = (wrong.u or 0) + (wrong.v or 0) + wrong.s
    print(f"{how.path}: {said}\n{table(rows)}\n{differ} of {wrong.compared} values differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())

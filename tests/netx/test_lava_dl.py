"""lava-dl's .net files: what they become against Lava's integers worked out by loops, and what is refused in whose words."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from fails import fails
from lava_dl_files import CONV, CUBA, DENSE, INPUT, LAYERS, LOIHI, POOL, Tree, kind, write

import neuroemu as ne
from neuroemu.cli.main import main
from neuroemu.engines.run import ENGINES


# ---- Lava's integers, one neuron and step at a time
def decayed(value: int, decay: int) -> int:
    kept = abs(value) * (4096 - decay) // 4096
    return kept if value >= 0 else -kept


def lif(drive: np.ndarray, stated: Tree, bias: Any, start: int) -> tuple[np.ndarray, np.ndarray]:
    """v and spikes, shape (neurons, steps), of neurons that are at rest before step ``start``."""
    v_seen, fired = np.zeros(drive.shape, int), np.zeros(drive.shape, int)
    for n, row in enumerate(drive.tolist()):
        u = v = 0
        for t in range(start, len(row)):
            u = decayed(u, stated["iDecay"]) + 64 * row[t]
            v = decayed(v, stated["vDecay"]) + u + 64 * int(bias[n])
            fired[n, t] = v > 64 * stated["vThMant"]
            v = 0 if fired[n, t] else v
            v_seen[n, t] = v
    return v_seen, fired


def lava(
    inputs: np.ndarray, steps: int, delays: tuple[int, ...], starts: tuple[int, int, int]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """v of the last layer and the spikes of all three; inputs (rows, 2, 6, 5), spikes arrive in the next step."""
    rows = len(inputs)
    weight, drive = CONV["weight"][..., 0].astype(int), np.zeros((4, 3, 4, steps), int)
    for o, y, x, ky, kx, t in np.ndindex(4, 3, 4, 3, 2, min(rows, steps - 1)):
        if 0 <= 2 * y + ky - 1 < 6:
            drive[o, y, x, t + 1] += weight[o, 0, ky, kx] * inputs[t, o // 2, 2 * y + ky - 1, x + kx]
    _, conv = lif(drive.reshape(48, steps), CUBA, np.repeat([2, -1, 0, 3], 12), starts[0])
    planes, drive = conv.reshape(4, 3, 4, steps), np.zeros((4, 2, steps), int)
    for c, x, t in np.ndindex(4, 2, steps - 1):
        drive[c, x, t + 1] = 4 * planes[c, 0:2, 2 * x : 2 * x + 2, t].sum()
    _, pooled = lif(drive.reshape(8, steps), LOIHI, np.zeros(8), starts[1])
    drive = np.zeros((3, steps), int)
    for n, k, t in np.ndindex(3, 8, steps):
        if t + 1 + delays[n] < steps:
            drive[n, t + 1 + delays[n]] += int(DENSE["weight"][n, k]) * pooled[k, t]
    v, dense = lif(drive, CUBA, [0, 1, -2], starts[2])
    return v, [conv, pooled, dense]


def compared(
    network: ne.Network, align: bool, engine: str, delays: tuple[int, ...], starts: tuple[int, int, int]
) -> None:
    """The run is Lava's: spikes of every layer and v of the last in every step from its start on."""
    inputs = (np.random.default_rng(18).random((40, 2, 6, 5)) < 0.4).astype(int)
    network = ne.Network(network.populations, network.projections, network.outputs, probes=(("dense4", "v"),))
    run = ne.run(ne.compile(network, ne.load_chip("loihi1"), align=align), inputs[:, None], engine=engine)
    v, spikes = lava(inputs, run.ticks, delays, starts)
    assert min(layer.sum() for layer in spikes) > 10
    assert np.abs(v).max() > 100
    got = np.zeros((60 + 48 + 8 + 3, run.ticks), int)
    got[run.spikes.neuron, run.spikes.tick] = 1
    end = run.ticks if not align else 41  # aligned, the first layer stops with the input's last row
    assert np.array_equal(got[60:108, :end], spikes[0][:, :end])
    assert np.array_equal(got[116:, starts[2] :], spikes[2][:, starts[2] :])
    assert np.array_equal(run.probes["dense4", "v"][0].T[:, starts[2] :], v[:, starts[2] :])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_runs_as_in_lava(engine: str, tmp_path: Path) -> None:
    network = ne.read_lava_dl(write(tmp_path / "n.net", LAYERS))
    assert [(p.name, p.shape) for p in network.populations] == [
        ("input", (2, 6, 5)), ("conv1", (4, 3, 4)), ("pool2", (4, 1, 2)), ("dense4", (3,))
    ]  # fmt: skip
    assert network.outputs == ("dense4",)
    compared(network, False, engine, (0, 2, 1), (0, 0, 0))


def test_aligned_every_layer_begins_at_rest_when_the_input_reaches_it(tmp_path: Path) -> None:
    """As Lava's reset_interval has it, whose offset grows by a step a layer."""
    path = write(tmp_path / "n.net", LAYERS | {"4": DENSE | {"delay": np.zeros(3)}})
    compared(ne.read_lava_dl(path), True, "python", (0, 0, 0), (1, 2, 3))


def test_a_dense_first_layer_needs_no_input_layer(tmp_path: Path) -> None:
    network = ne.read_lava_dl(
        write(tmp_path / "n.net", {"0": DENSE | {"delay": np.array(3.0), "weight": DENSE["weight"][..., None, None]}})
    )
    assert [(p.name, p.shape) for p in network.populations] == [("input", (8,)), ("dense0", (3,))]
    assert np.array_equal(network.projections[0].weight, DENSE["weight"].T)  # type: ignore[arg-type]
    assert network.projections[0].delay == 3


@pytest.mark.parametrize("delay", [np.arange(8.0), np.arange(24.0).reshape(3, 8)])
def test_delays_by_input_and_by_synapse(delay: np.ndarray, tmp_path: Path) -> None:
    network = ne.read_lava_dl(write(tmp_path / "n.net", {"0": DENSE | {"delay": delay}}))
    expected = [[delay[k] if delay.ndim == 1 else delay[n, k] for n in range(3)] for k in range(8)]
    assert np.array_equal(network.projections[0].delay, expected)


def test_an_input_layer_with_neurons_is_said(tmp_path: Path) -> None:
    path = write(
        tmp_path / "n.net",
        LAYERS | {"0": INPUT | {"neuron": LOIHI, "weight": np.array([36.0]), "bias": np.array([34.0])}},
    )
    with pytest.warns(ne.ConventionWarning) as caught:
        network = ne.read_lava_dl(path)
    text = f"{path}: layer 0: the input layer's neurons, which turn images into spikes, are left out: the network takes their spikes"
    assert [str(warning.message) for warning in caught] == [text]
    assert network.notes == (text,)
    assert network.population("input").shape == (2, 6, 5)


# ---- what is refused
def changed(number: str, **fields: Any) -> Tree:
    return LAYERS | {number: LAYERS[number] | fields}


def neurons(**fields: Any) -> Tree:
    return changed("4", neuron=CUBA | fields)


BAD: list[tuple[Tree, str]] = [
    ({"0": INPUT}, "{p}: has no layer with neurons; neuroemu imports dense, conv, pool"),
    ({"0": INPUT, "2": POOL}, "{p}: layers are not numbered 0 to 1, or more than 1000; export it again"),
    (changed("3", type=kind("average")),
     "{p}: layer 3: type is 'average', which is not imported; neuroemu imports input, flatten, dense, conv, pool"),
    (changed("3", type=kind("input")), "{p}: layer 3: is a second input layer; a network has one, as its layer 0"),
    ({"0": CONV}, "{p}: layer 0: the first layer is a conv, which does not say what feeds it; put an input layer before it"),
    (changed("3", type=None), "{p}: layer 3: has no field 'type'; export the network again with lava-dl"),
    (changed("3", type=7), "{p}: layer 3: type is no text; export the network again"),
    (changed("3", type=CUBA), "{p}: layer 3: type is no array; export the network again"),
    (changed("4", type=kind("dense"), weight_rec=np.eye(3)),
     "{p}: layer 4: has a field 'weight_rec', which is not understood; "
     "known are bias, delay, inFeatures, neuron, outFeatures, shape, type, weight"),
    (changed("4", neuron=3), "{p}: layer 4: neuron is no group of fields; export the network again"),
    (neurons(type="SDNN"), "{p}: layer 4: neuron: type is 'SDNN', which is not imported; neuroemu imports LOIHI and CUBA neurons"),
    (neurons(refDelay=3), "{p}: layer 4: neuron: refDelay is 3, which asks for a refractory period of more than one step; "
     "neuroemu imports 1 only"),
    (neurons(gradedSpike=True), "{p}: layer 4: neuron: gradedSpike is 1, which asks for graded spikes; neuroemu imports 0 only"),
    (neurons(iDecay=5000), "{p}: layer 4: neuron: iDecay holds 5000; give whole numbers from 0 to 4096"),
    (neurons(vThMant=-1), "{p}: layer 4: neuron: vThMant holds -1; give whole numbers from 0 to 131071"),
    (neurons(vDecay=np.array([1, 2])),
     "{p}: layer 4: neuron: vDecay has 2 values for neurons of shape (3,); give one, one a channel or one a neuron"),
    (neurons(vDecay="fast"), "{p}: layer 4: neuron: vDecay holds object values; give whole numbers"),
    (changed("4", bias=np.zeros(0)), "{p}: layer 4: bias has 0 values; 1 to 67108864 are read"),
    (changed("4", bias=np.array([0, 0.5, np.nan])), "{p}: layer 4: bias holds 0.5; give whole numbers from -4096 to 4095"),
    (changed("4", weight=np.full((3, 8), 300)), "{p}: layer 4: weight holds 300; give whole numbers from -256 to 255"),
    (changed("4", weight=np.full((3, 8), np.nan)), "{p}: layer 4: weight holds nan; give whole numbers from -256 to 255"),
    (changed("4", weight=np.ones((3, 9))),
     "{p}: layer 4: weight has shape (3, 9), it is fed 8 values; give (outputs, inputs), after a flatten if it is fed planes"),
    (changed("4", inFeatures=9), "{p}: layer 4: inFeatures is 9, its weight has 8; correct one of them"),
    (changed("4", inFeatures=np.array([8, 8])), "{p}: layer 4: inFeatures has 2 values; give one"),
    (changed("4", shape=np.array([4])), "{p}: layer 4: shape is (4,), its weight gives (3,); correct one of them"),
    (changed("4", delay=np.zeros(5)),
     "{p}: layer 4: delay has 5 values for a weight of shape (3, 8); give one, one an output or one an input"),
    (changed("4", delay=np.array(63)), "{p}: layer 4: delay holds 63; give whole numbers from 0 to 62"),
    (changed("0", shape=np.array([1 << 12, 1 << 12, 2])),
     "{p}: layer 0: shape is [4096, 4096, 2]; give (values) or (channels, rows, columns), at most 16777216 values"),
    (changed("0", shape=np.array([60])), "{p}: layer 1: is fed values of shape (60,); this layer takes (channels, rows, columns)"),
    (changed("1", groups=3), "{p}: layer 1: weight has shape (4, 1, 3, 2) in 3 groups, it is fed 2 channels; "
     "give (outputs, inputs / groups, rows, columns)"),
    (changed("1", weight=np.ones((4, 1, 3))), "{p}: layer 1: weight has shape (4, 1, 3); give (outputs, inputs, rows, columns)"),
    (changed("1", padding=np.array([60000, 60000])),
     "{p}: layer 1: takes 172811520192 multiplications a tick, at most 33554432 are laid out; make the layer smaller"),
    (changed("1", kernelSize=np.array([3, 3])), "{p}: layer 1: kernelSize is not that of weight (4, 1, 3, 2); correct one of them"),
    (changed("1", stride=np.array([1, 1, 1])), "{p}: layer 1: stride has 3 values; give one, or one for rows and one for columns"),
    (changed("1", delay=np.ones(4)),
     "{p}: layer 1: has delays, which Lava leaves out of convolutions and pools; set them to 0, or remove them"),
    (changed("2", weight=np.ones((4, 1, 2, 2))), "{p}: layer 2: weight has shape (4, 1, 2, 2); "
     "give (1, 1, rows, columns), the same for all channels"),
    (changed("2", dilation=np.array([9, 9])),
     "{p}: layer 2: a kernel of (2, 2) does not fit into (3, 4) with this padding; correct the layer"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "text"), BAD, ids=[text[5:60] for _, text in BAD])
def test_what_is_not_imported_is_refused_by_layer(layers: Tree, text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "n.net", layers)
    with fails(ne.NetworkError, text.format(p=path)):
        ne.read_lava_dl(path)


def test_files_that_are_no_net_files(tmp_path: Path) -> None:
    path = tmp_path / "n.net"
    with fails(ne.FileError, f"{path}: no such file; give the path of a .net file that lava-dl exported"):
        ne.read_lava_dl(path)
    path.write_bytes(b"not hdf5 at all")
    reason = "Unable to synchronously open file (file signature not found)"
    with fails(ne.FileError, f"{path}: is not a .net file ({reason}); export it with lava-dl's export_hdf5"):
        ne.read_lava_dl(path)
    with h5py.File(path, "w") as file:
        file["other"] = 1
    with fails(ne.NetworkError, f"{path}: has no field 'layer'; export the network again with lava-dl"):
        ne.read_lava_dl(path)


def test_a_file_that_would_have_another_read(tmp_path: Path) -> None:
    path = write(tmp_path / "n.net", changed("4", weight=h5py.ExternalLink("/etc/other.h5", "/x")))
    reason = "/layer/4/weight is a link, which a .net file has none of"
    with fails(ne.FileError, f"{path}: is not read, for {reason}; export it with lava-dl's export_hdf5"):
        ne.read_lava_dl(path)


def test_a_file_that_kills_the_hdf5_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "n.net", LAYERS)
    monkeypatch.setattr("neuroemu.netx.read.every_array", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    with fails(ne.FileError, f"{path}: is damaged: the HDF5 library crashes or hangs on it; export it again"):
        ne.read_lava_dl(path)


# ---- the command line
def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["neuroemu", *map(str, words)])
    try:
        main()
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def test_commands_take_a_net_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, image = write(tmp_path / "n.net", LAYERS), tmp_path / "n.image"
    np.save(tmp_path / "x.npy", np.ones((9, 1, 2, 6, 5), np.int8))
    assert call(monkeypatch, "compile", path, "--chip", "loihi1", "--no-align", "-o", image) == 0
    assert ne.load_image(image).digest == ne.compile(ne.read_lava_dl(path), ne.load_chip("loihi1"), align=False).digest
    where = ("--chip", "loihi1", "--input", tmp_path / "x.npy", "--engine", "python")
    assert call(monkeypatch, "deploy", path, *where, "-o", tmp_path / "run") == 0
    assert ne.load_run(tmp_path / "run").spike_counts("conv1").sum() > 10
    capsys.readouterr()
    assert call(monkeypatch, "compile", path, "--chip", "loihi1", "--spike-if", ">=", "-o", tmp_path / "no.image") == 2
    text = f"{path}: --spike-if says what a NIR file leaves open; a .net file states it, leave the option out"
    assert " ".join(capsys.readouterr().err.split()) == f"neuroemu: {text}"
    assert call(monkeypatch, "deploy", path, *where, "--explain") == 2
    text = "population 'conv1' is in register units; only float models can be simulated in float"
    assert " ".join(capsys.readouterr().err.split()) == f"neuroemu: {text}"

"""The tools that replay recordings, on small files of the same form whose values are worked out here by other means."""

from __future__ import annotations

import copy
import gzip
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lava_dl_files import INPUT, LAYERS, LOIHI, kind, write

TOOLS = Path(__file__).parent.parent / "tools"
Arrays = dict[str, np.ndarray]


def call(
    tool: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object
) -> tuple[int, str, str]:
    """Exit code, output and errors of a tool."""
    spec = importlib.util.spec_from_file_location(tool, TOOLS / f"{tool}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, tool, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", [tool, *map(str, words)])
    code = module.main()
    said = capsys.readouterr()
    return code, said.out, said.err


# ---- lava-dl's recording of PilotNet
STEPS = 24
THRESHOLD = 25 * 64


def toward_zero(value: int) -> int:
    """value * 3072 / 4096, the fraction cut off."""
    return value * 3072 // 4096 if value >= 0 else -(-value * 3072 // 4096)


def integrate(current: list[list[int]], bias: list[int], first: int) -> tuple[np.ndarray, np.ndarray]:
    """v (128 at a spike) and spikes of neurons by step, one neuron and step at a time."""
    v_seen, fired = np.zeros((len(current), STEPS), int), np.zeros((len(current), STEPS), bool)
    for n, steps in enumerate(current):
        v = 0
        for t, u in enumerate(steps):
            v = toward_zero(0 if t >= first and (t - first) % 17 == 0 else v) + u + 64 * bias[n]
            fired[n, t] = v > THRESHOLD
            v_seen[n, t] = 128 if v > THRESHOLD else v
            v = 0 if v > THRESHOLD else v
    return v_seen, fired


def pilot() -> Arrays:
    """An input plane, a convolution of it (stride, padding and dilation differ by axis) and a dense layer of that."""
    rng = np.random.default_rng(3)
    fed = rng.random((5, 6, 2, STEPS)) < 0.5
    weight, bias = rng.integers(-6, 16, (3, 2, 3, 2)), rng.integers(-4, 6, 3)
    u = np.zeros((3, 3, 3, STEPS), int)  # x: (5 - 2 (2 - 1) - 1) / 1 + 1 = 3; y: (6 + 2 - 1 (3 - 1) - 1) / 2 + 1 = 3
    for x, y, out, t in np.ndindex(*u.shape):
        for c, ky, kx in np.ndindex(2, 3, 2):
            x_in, y_in = x + 2 * kx, 2 * y + ky - 1
            if t and 0 <= y_in < 6 and fed[x_in, y_in, c, t - 1]:
                u[x, y, out, t] += 64 * weight[out, c, ky, kx]
    v, fired = integrate(u.reshape(-1, STEPS).tolist(), np.tile(bias, 9).tolist(), 3)
    dense, dense_bias = rng.integers(-9, 20, (4, 27)), rng.integers(-4, 6, 4)
    by_channel = [fired.reshape(3, 3, 3, STEPS)[x, y, c] for c in range(3) for y in range(3) for x in range(3)]
    dense_u = np.zeros((4, STEPS), int)
    for n, t in np.ndindex(4, STEPS - 1):
        dense_u[n, t + 1] = 64 * sum(int(dense[n, k]) for k in range(27) if by_channel[k][t])
    dense_v, dense_fired = integrate(dense_u.tolist(), dense_bias.tolist(), 4)
    return {
        "conv-1.s": fed, "conv-2.weight": weight, "conv-2.bias": bias, "conv-2.stride": np.array([2, 1]),
        "conv-2.padding": np.array([1, 0]), "conv-2.dilation": np.array([1, 2]), "conv-2.s": fired.reshape(u.shape),
        "conv-2.u": u, "conv-2.v": v.reshape(u.shape), "fc-0.weight": dense, "fc-0.bias": dense_bias, "fc-0.s": dense_fired,
        "fc-0.u": dense_u, "fc-0.v": dense_v,
    }  # fmt: skip


def test_a_recording_is_replayed_value_by_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays, path = pilot(), tmp_path / "pilot.npz"
    spikes = [int(arrays[f"{name}.s"].sum()) for name in ("conv-2", "fc-0")]
    assert spikes[0] > 50
    assert spikes[1] > 5
    assert (arrays["conv-2.v"] < 0).any()
    np.savez(path, **arrays)  # type: ignore[arg-type]
    code, out, err = call("validate_lava_dl", capsys, monkeypatch, path, "--engine", "python")
    assert (code, err) == (0, "")
    head, _, conv, dense, total, last = out.splitlines()
    assert head == f"{path}: 3 layers on loihi1, engine python; conv-1 is the input"
    assert conv.split() == ["conv-2", "27", "1", str(spikes[0]), str(3 * 27 * STEPS), "0", "0", "0"]
    assert dense.split() == ["fc-0", "4", "1", str(spikes[1]), str(3 * 4 * STEPS), "0", "0", "0"]
    assert total.split() == ["all", "31", "-", str(sum(spikes)), str(3 * 31 * STEPS), "0", "0", "0"]
    assert last == f"0 of {3 * 31 * STEPS} values differ"


def test_values_that_differ_are_counted_by_layer_and_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays, path = pilot(), tmp_path / "pilot.npz"
    arrays["fc-0.v"][2, 10] += 1
    arrays["fc-0.v"][3, 23] -= 1
    arrays["fc-0.u"][0, 5] += 64
    arrays["fc-0.s"][1, 7] ^= True
    np.savez(path, **arrays)  # type: ignore[arg-type]
    code, out, _ = call("validate_lava_dl", capsys, monkeypatch, path, "--engine", "python")
    assert code == 1
    assert out.splitlines()[3].split()[5:] == ["1", "2", "1"]
    assert out.splitlines()[-1] == f"4 of {3 * 31 * STEPS} values differ"


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "one layer": ({key: None for key in pilot() if key[-2:] == ".s" and key != "fc-0.s"},
                  "{p}: holds spikes (NAME.s) of 1 layers; a recording has two layers or more"),
    "no v": ({"conv-2.v": None}, "{p}: layer 'conv-2': has no array 'conv-2.v'; see --help for the arrays of a recording"),
    "floats": ({"fc-0.bias": np.zeros(4)},
               "{p}: layer 'fc-0': 'fc-0.bias' holds float64, not integers; see --help for the arrays of a recording"),
    "three axes": ({"fc-0.weight": np.zeros((4, 27, 1), int)},
                   "{p}: layer 'fc-0': weight has shape (4, 27, 1) between spikes of shapes (3, 3, 3, 24) and (4, 24); "
                   "see --help for the arrays of a recording"),
    "short": ({"fc-0.u": np.zeros((4, 23), int)},
              "{p}: layer 'fc-0': u, v, spikes and the spikes before are not of one shape and length; "
              "see --help for the arrays of a recording"),
    "stride": ({"conv-2.stride": np.array([1, 1, 1])},
               "{p}: layer 'conv-2': bias, stride, padding or dilation do not suit a weight of shape (3, 2, 3, 2); "
               "see --help for the arrays of a recording"),
    "other stride": ({"conv-2.stride": np.array([1, 1])},
                     "{p}: layer 'conv-2': a convolution of (5, 6, 2) with this kernel does not give (3, 3, 3); "
                     "see --help for the arrays of a recording"),
    "no stride": ({"conv-2.stride": np.array([0, 1])},
                  "{p}: layer 'conv-2': a convolution of (5, 6, 2) with this kernel does not give (3, 3, 3); "
                  "see --help for the arrays of a recording"),
    "inputs": ({"fc-0.weight": np.zeros((4, 26), int)},
               "{p}: layer 'fc-0': weight has shape (4, 26), not (4, 27); see --help for the arrays of a recording"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_no_recording(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, text = BROKEN[case]
    path = tmp_path / "pilot.npz"
    arrays = {key: array for key, array in (pilot() | changes).items() if array is not None}
    np.savez(path, **arrays)
    assert call("validate_lava_dl", capsys, monkeypatch, path) == (2, "", text.format(p=path) + "\n")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no zip"])
@pytest.mark.parametrize(
    ("tool", "missing", "other"),
    [
        ("validate_lava_dl", "{p}: no such file; give the .npz with a recording of PilotNet, or lava-dl's folder tests/lava/lib/dl/netx",
         "{p}: is no .npz; give the .npz with a recording of lava-dl's PilotNet"),
        ("validate_risp", "{p}: no such file; give the JSON file with the tests of RISP",
         "{p}: holds no tests of RISP; see --help for the form of the JSON file"),
    ],
)  # fmt: skip
def test_paths_that_hold_something_else(
    tool: str, missing: str, other: str, content: bytes | None, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    text = (missing if content is None else other).format(p=path)
    assert call(tool, capsys, monkeypatch, path) == (2, "", f"{text}\n")


# ---- lava-dl's folder of tests
def slid(fed: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A convolution of (channel, y, x, step) without stride or padding, one value at a time."""
    out = np.zeros((weight.shape[0], fed.shape[1] - 2, fed.shape[2] - 1, fed.shape[3]), int)
    for o, y, x, t in np.ndindex(*out.shape):
        out[o, y, x, t] = sum(
            int(weight[o, c, ky, kx]) * int(fed[c, y + ky, x + kx, t]) for c, ky, kx in np.ndindex(*weight.shape[1:])
        )
    return out


def tiny(folder: Path) -> dict[str, np.ndarray]:
    """A folder as lava-dl's: tiny.net of two convolutions, and its recording, whose first step holds nothing to go by."""
    rng = np.random.default_rng(5)
    fed = (rng.random((2, 6, 5, STEPS)) < 0.5).astype(int)
    weights = [rng.integers(-6, 16, (3, 2, 3, 2)), rng.integers(-6, 22, (2, 3, 3, 2))]
    biases, neuron = [np.array([2, -1, 4]), np.array([1, 3])], LOIHI | {"vThMant": 25}
    recorded = {"input": fed}
    for name, weight, bias in zip(("layer1", "output"), weights, biases, strict=True):
        recorded["current"] = recorded.get("current", drive := slid(fed, weight))
        u = 64 * drive[..., 1:].reshape(-1, STEPS - 1)
        _, fired = integrate(
            np.pad(u, ((0, 0), (0, 1))).tolist(), np.repeat(bias, drive[0, ..., 0].size).tolist(), 10**6
        )
        fed = np.pad(fired[:, :-1], ((0, 0), (1, 0))).reshape(drive.shape)
        recorded[name] = fed.astype(int)
    layers = {
        str(k): {"type": kind("conv"), "shape": np.array(recorded[name].shape[:-1]), "neuron": neuron, "groups": 1, "weight": weight,
                 "bias": bias, "stride": np.array([1, 1]), "padding": np.array([0, 0]), "dilation": np.array([1, 1])}
        for k, (name, weight, bias) in enumerate(zip(("layer1", "output"), weights, biases, strict=True), 1)
    }  # fmt: skip
    write(folder / "tiny.net", {"0": INPUT | {"neuron": neuron}} | layers)
    (folder / "gts" / "tinynet").mkdir(parents=True, exist_ok=True)
    for name, array in recorded.items():
        np.save(folder / "gts" / "tinynet" / f"{name}.npy", array[None].astype(np.float32))
    return recorded


def test_the_folder_of_a_checkout_is_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = tiny(tmp_path)
    spikes = [int(recorded[name].sum()) for name in ("layer1", "output")]
    assert min(spikes) > 20
    code, out, err = call("validate_lava_dl", capsys, monkeypatch, tmp_path, "--engine", "python")
    assert (code, err) == (0, "")
    head, _, *rows, last = out.splitlines()
    assert head == f"{tmp_path}: tiny.net on loihi1, engine python"
    assert [row.split() for row in rows] == [
        ["layer1", "48", "1", str(spikes[0]), str(2 * 48 * 23), "0", "-", "0"],
        ["output", "12", "1", str(spikes[1]), str(12 * 23), "-", "-", "0"],
        ["all", "60", "-", str(sum(spikes)), str(108 * 23), "0", "0", "0"],
    ]
    assert last == f"0 of {108 * 23} values differ"
    recorded["output"][1, 0, 1, 9] ^= 1
    recorded["current"][2, 3, 1, 4] += 1
    for name in ("output", "current"):
        np.save(tmp_path / "gts" / "tinynet" / f"{name}.npy", recorded[name][None])
    code, out, err = call("validate_lava_dl", capsys, monkeypatch, tmp_path, "--engine", "python")
    assert code == 1
    assert [row.split()[5:] for row in out.splitlines()[2:4]] == [["1", "-", "0"], ["-", "-", "1"]]


def test_a_folder_that_lacks_its_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = tiny(tmp_path)
    path = tmp_path / "gts" / "tinynet" / "output.npy"

    def said() -> tuple[int, str, str]:
        return call("validate_lava_dl", capsys, monkeypatch, tmp_path, "--engine", "python")

    np.save(path, recorded["output"][None, ..., :-1])
    assert said() == (2, "", f"{path.parent}: holds arrays of different lengths; check out lava-dl again\n")
    text = f"{path}: is no array of numbers of shape (1, 2, 2, 3, steps); check out lava-dl again\n"
    np.save(path, recorded["output"])
    assert said() == (2, "", text)
    path.unlink()
    assert said() == (2, "", text)
    write(tmp_path / "tiny.net", LAYERS)
    assert said() == (
        2,
        "",
        f"{tmp_path / 'tiny.net'}: is not the network of two convolutions; check out lava-dl again\n",
    )


# ---- RISP's tests
PARAMS = {"min_potential": -1.0, "max_weight": 1.0, "leak_mode": "none", "threshold_inclusive": True, "discrete": False,
          "run_time_inclusive": False, "spike_value_factor": 1.0}  # fmt: skip
GATE = {
    "params": PARAMS,
    "nodes": [{"id": 0, "Threshold": 1.0}, {"id": 1, "Threshold": 1.0}, {"id": 2, "Threshold": 1.0}],
    "edges": [{"a": 0, "b": 2, "Weight": 0.5, "Delay": 1.0}, {"a": 1, "b": 2, "Weight": 0.5, "Delay": 2.0}],
    "inputs": [0, 1],
    "outputs": [2],
    "commands": ["ML net", "ASR 0 0101", "AS 1 0 1", "RUN 6", "GSR", "NCH", "OT", "OC", "GT", "CA", "RUN 2", "GSR", "Q"],
    # node 0 fires at 1 and 3, node 1 at 0: halves reach node 2 at 2, 4 and 2, so it fires at 2 and keeps a half from 4
    "expected": "0(A) INPUT  : 0101\n1(B) INPUT  : 1000\n2(A&B) OUTPUT : 0010\nNode 0(A) charge: 0\nNode 1(B) charge: 0\n"
    "Node 2(A&B) charge: 0.5\nnode 2(A&B) spike times: 2.0\nnode 2(A&B) spike counts: 1\ntime: 6.0\n"
    "0(A) INPUT  : \n1(B) INPUT  : \n2(A&B) OUTPUT : \n",
}  # fmt: skip
LEAKY = GATE | {
    "params": PARAMS | {"leak_mode": "configurable"},
    "nodes": [{"id": 0, "Threshold": 0.0}, {"id": 1, "Threshold": 1.0, "Leak": 1.0}, {"id": 2, "Threshold": 1.0, "Leak": 0.0}],
    "edges": [{"a": 0, "b": 1, "Weight": 0.5, "Delay": 1.0}, {"a": 0, "b": 2, "Weight": 0.5, "Delay": 1.0}],
    # node 0, of threshold 0, fires only when a spike arrives; node 1 forgets its halves, node 2 adds them; two runs go on
    "commands": ["ML net", "AS 0 0 1 0 3 1", "RUN 2", "GSR", "RUN 3", "GSR", "NCH 1 2"],
    "expected": "0 INPUT : 1\n1 HIDDEN : 0\n2 OUTPUT : 0\n0 INPUT : 010\n1 HIDDEN : 000\n2 OUTPUT : 001\n"
    "Node 1 charge: 0.5\nNode 2 charge: 0\n",
}  # fmt: skip
NOISY = GATE | {"params": PARAMS | {"noisy_stddev": 0.1}}
INDEXED = GATE | {
    "params": {k: v for k, v in PARAMS.items() if k != "max_weight"} | {"weights": [0.25, -2.0], "inputs_from_weights": True},
    "edges": [{"a": 0, "b": 2, "Weight": 1.0, "Delay": 1.0}],
    "nodes": [{"id": 0, "Threshold": 0.25}, {"id": 2, "Threshold": 1.0}],
    "commands": ["ML net", "ASV 0 0 0", "RUN 3", "GSR", "NCH 2"],
    "expected": "0 INPUT : 1\n2 OUTPUT : 0\nNode 2 charge: -1\n",
}  # fmt: skip


def risp(tmp_path: Path, tests: dict[str, Any], zipped: bool = False) -> Path:
    text = json.dumps(tests).encode()
    path = tmp_path / "risp.json"
    path.write_bytes(gzip.compress(text) if zipped else text)
    return path


@pytest.mark.parametrize("zipped", [False, True])
def test_rasters_charges_times_and_counts_are_replayed(
    zipped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = risp(tmp_path, {"gate": GATE, "leak": LEAKY, "noise": NOISY, "table": INDEXED}, zipped)
    code, out, err = call("validate_risp", capsys, monkeypatch, path)
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[1:5]] == [
        ["gate", "4", "12", "0", "equal"],
        ["leak", "3", "8", "0", "equal"],
        ["noise", "0", "0", "0", "not", "mapped:", "draws", "normal", "noise"],
        ["table", "1", "3", "0", "equal"],
    ]
    assert out.splitlines()[-1] == "3 of 3 mapped tests equal, 1 not mapped"


def test_answers_that_differ_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = copy.deepcopy(GATE)
    wrong["expected"] = str(GATE["expected"]).replace("0010", "0011").replace("charge: 0.5", "charge: 0.4")
    code, out, _ = call("validate_risp", capsys, monkeypatch, risp(tmp_path, {"gate": GATE, "wrong": wrong}))
    assert code == 1
    assert out.splitlines()[2].split() == ["wrong", "4", "12", "2", "differs"]
    assert out.splitlines()[-1] == "1 of 2 mapped tests equal, 0 not mapped"


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "node": ({"edges": [{"a": 7, "b": 2, "Weight": 1, "Delay": 1}]}, "7"),
    "no weight": ({"edges": [{"a": 0, "b": 2, "Delay": 1}]}, "'Weight'"),
    "word": ({"commands": ["ML net", "RUN many"]}, "invalid literal for int() with base 10: 'many'"),
    "print": ({"expected": "Segmentation fault"}, "printed line 'Segmentation fault' is of no known form"),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_test_is_named(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, reason = MALFORMED[case]
    path = risp(tmp_path, {"bad": GATE | changes})
    text = f"{path}: test 'bad' is malformed ({reason}); see --help for its form\n"
    assert call("validate_risp", capsys, monkeypatch, path) == (2, "", text)


def test_a_test_that_is_too_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = risp(tmp_path, {"long": GATE | {"commands": ["ML net", "RUN 999999999999"]}})
    text = "a test asks for 999999999999 ticks of 3 nodes 1 times; at most 134217728 are replayed\n"
    assert call("validate_risp", capsys, monkeypatch, path) == (2, "", text)

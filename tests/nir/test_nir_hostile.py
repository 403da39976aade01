"""NIR files that state more than they hold, or lead elsewhere, are refused before memory is taken for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from fails import fails

import neuroemu as ne


def write(path: Path, **nodes: Any) -> Path:
    """in(2) -> fc -> lif(3) -> o with nodes replaced, added before the neurons, or left out (None)."""
    one = np.ones(3)
    given = {
        "in": nir.Input({"input": np.array([2])}),
        "fc": nir.Linear(np.arange(6.0).reshape(3, 2)),
        "lif": nir.LIF(tau=one * 1e-3, r=one * 10, v_leak=0 * one, v_threshold=one, v_reset=0 * one),
        "o": nir.Output({"output": np.array([3])}),
    } | nodes
    given = {name: node for name, node in given.items() if node is not None}
    order = ["in", *(name for name in given if name not in ("in", "lif", "o")), "lif", "o"]
    nir.write(path, nir.NIRGraph(given, list(itertools.pairwise(order)), type_check=False))
    return path


def test_the_files_here_are_read_when_nothing_is_wrong(tmp_path: Path) -> None:
    network = ne.read_nir(write(tmp_path / "n.nir"))
    assert [p.n for p in network.populations] == [2, 3]


STATED: dict[str, tuple[Callable[[Any], object], str]] = {
    "an array of 74 GB in 2 kB": (
        lambda file: file["node"].create_dataset("x", (10**10,), "f8", chunks=(1024,)),
        "its arrays take 80000000048 bytes, and 1073741824 are read at most unless NEUROEMU_MOST_BYTES is set to more",
    ),
    "a link to itself": (
        lambda file: file["node"].__setitem__("x", h5py.SoftLink("/node/x")),
        "/node/x is a link, which a NIR file has none of",
    ),
    "a group in itself": (
        lambda file: file["node"].__setitem__("x", file["node"]),
        "its groups are nested more than 32 levels deep",
    ),
    "groups that hold each other twice": (
        lambda file: [file.require_group(f"g{k}").__setitem__(n, file.require_group(f"g{k + 1}")) for k in range(25) for n in "ab"],
        "it has more than 100000 groups and arrays",
    ),
    "complex weights": (
        lambda file: file["node"].create_dataset("x", data=np.ones(3, complex)),
        "/node/x holds neither real numbers nor text",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STATED)
def test_what_a_file_states_is_looked_at_first(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "n.nir")
    change, text = STATED[kind]
    with h5py.File(path, "a") as file:
        change(file)
    with fails(ne.FileError, f"{path}: is not read, for {text}; export it with nir.write"):
        ne.read_nir(path)


def conv(padding: int) -> nir.Conv2d:
    return nir.Conv2d(
        input_shape=(2, 2),
        weight=np.ones((1, 1, 2, 2)),
        stride=1,
        padding=padding,
        dilation=1,
        groups=1,
        bias=np.zeros(1),
    )


PLANES: dict[str, tuple[dict[str, Any], str]] = {
    "a kernel": (
        {"pool": nir.SumPool2d(kernel_size=np.array([10**6, 10**6]), stride=np.array([1, 1]), padding=np.array([10**6, 10**6]))},
        "node 'pool': takes 1000006000009000000000000 multiplications a tick, at most 33554432 are laid out; make the SumPool2d smaller",
    ),
    "a padding": (
        {"conv": conv(10**5)},
        "node 'conv': takes 160001600004 multiplications a tick, at most 33554432 are laid out; make the Conv2d smaller",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLANES)
def test_a_window_that_takes_too_much(tmp_path: Path, kind: str) -> None:
    nodes, text = PLANES[kind]
    path = write(
        tmp_path / "n.nir",
        **{"in": nir.Input({"input": np.array([1, 2, 2])}), "fc": None, **nodes},
    )
    with pytest.raises(ne.NetworkError) as caught:
        ne.read_nir(path)
    assert str(caught.value) == f"{path}: {text}"


SHAPES = {"below 1": (-3,), "a million million": (1 << 40,), "none": (0, 2)}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_that_is_none(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "n.nir", **{"in": nir.Input({"input": np.array(SHAPES[kind])})})
    text = (
        f"node 'in': has shape {SHAPES[kind]}; sizes are at least 1, and together at most 16777216, correct the shape"
    )
    with fails(ne.NetworkError, f"{path}: {text}"):
        ne.read_nir(path)


def test_a_delay_past_every_presentation(tmp_path: Path) -> None:
    path = write(tmp_path / "n.nir", delay=nir.Delay(np.full(3, 1e30)))
    text = "node 'delay': delay is 1e+30 s, 1e+34 ticks of dt; 1048576 are the most, use a larger dt"
    with fails(ne.NetworkError, f"{path}: {text}"):
        ne.read_nir(path)


OTHER_VALUES: dict[str, tuple[str, Any, str]] = {
    "words": ("lif/tau", np.array([b"x", b"y", b"z"]), "node 'lif': tau is a list of 3; give numbers"),
    "a size that is half": ("in/shape", np.array([1.5]), "node 'in': input_type is a list of 1; give whole numbers"),
    "an infinite size": ("in/shape", np.array([np.inf]), "node 'in': input_type is a list of 1; give whole numbers"),
}


@pytest.mark.parametrize("kind", OTHER_VALUES)
def test_a_parameter_of_another_kind_or_length(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "n.nir")
    place, value, text = OTHER_VALUES[kind]
    with h5py.File(path, "a") as file:
        del file[f"node/nodes/{place}"]
        file[f"node/nodes/{place}"] = value
    with fails(ne.NetworkError, f"{path}: {text}"):
        ne.read_nir(path)


def test_biases_and_windows_of_another_length(tmp_path: Path) -> None:
    path = write(tmp_path / "n.nir", fc=nir.Affine(np.ones((3, 2)), np.zeros(2)))
    with fails(ne.NetworkError, f"{path}: node 'fc': bias has 2 values for 3; give one, or that many"):
        ne.read_nir(path)
    wide = nir.SumPool2d(kernel_size=np.array([1, 1, 1]), stride=np.array([1, 1]), padding=np.array([0, 0]))
    path = write(tmp_path / "p.nir", **{"in": nir.Input({"input": np.array([1, 2, 2])}), "fc": None, "pool": wide})
    with fails(ne.NetworkError, f"{path}: node 'pool': kernel_size has 3 values; give one, or one an axis"):
        ne.read_nir(path)
    with h5py.File(path, "a") as file:
        for key, value in (("kernel_size", np.array([1, 1])), ("padding", "same")):
            del file[f"node/nodes/pool/{key}"]
            file[f"node/nodes/pool/{key}"] = value
    with fails(ne.NetworkError, f"{path}: node 'pool': padding is 'same'; give whole numbers"):
        ne.read_nir(path)

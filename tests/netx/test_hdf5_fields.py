"""HDF5 files whose fields hold anything: NIR's and lava-dl's are read, or refused in one line of ours."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from fails import fails
from lava_dl_files import LAYERS, write
from test_fuzz import damaged, survives

import neuroemu as ne

ODD: list[Any] = [
    0, -1, 1 << 40, -(1 << 62), 1.5, np.nan, np.inf, 1j, "word", b"word", True, np.array([], float), np.zeros((0, 3)),
    np.array([1, 2]), np.array([1, 2, 3]), np.zeros((2, 2, 2, 2, 2)), np.array([b"a", b"b"]), h5py.Empty("f"),
    np.ones(5, dtype=[("a", "i4")]), h5py.SoftLink("/nowhere"), h5py.SoftLink("/"), np.full((3, 8), -256.0),
]  # fmt: skip
TRIES = 60


def replaced(data: bytes, rng: random.Random) -> bytes:
    """The file with one or two fields taken out, made groups, or holding something else."""
    file = io.BytesIO(data)
    with h5py.File(file, "a") as tree:
        names: list[str] = []
        tree.visit(names.append)
        for name in rng.sample(sorted(set(names)), rng.randint(1, 2)):
            if name not in tree or name in ("layer", "node", "node/nodes"):
                continue
            del tree[name]
            kind = rng.random()
            if kind > 0.2:
                tree[name] = rng.choice(ODD)
            elif kind > 0.1:
                tree.create_group(name)
    return file.getvalue()


def graph() -> nir.NIRGraph:
    """A small graph with a node of most kinds."""
    one = np.ones
    nodes = {
        "in": nir.Input(np.array([2, 5, 5])),
        "conv": nir.Conv2d((5, 5), one((4, 1, 3, 3)), 1, 0, 1, 2, one(4)),
        "if": nir.IF(one((4, 3, 3)), one((4, 3, 3))),
        "pool": nir.SumPool2d(np.array([3, 3]), np.array([1, 1]), np.array([0, 0])),
        "flat": nir.Flatten(np.array([4, 1, 1]), 0, -1),
        "late": nir.Delay(one(4) * 1e-4),
        "fc": nir.Affine(one((3, 4)), one(3)),
        "lif": nir.LIF(one(3) * 1e-3, one(3) * 10, one(3), one(3)),
        "out": nir.Output(np.array([3])),
    }
    return nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)), type_check=False)


@pytest.mark.parametrize("alter", [replaced, damaged], ids=lambda alter: alter.__name__)
@pytest.mark.parametrize("suffix", ["nir", "net"])
def test_any_field_may_hold_anything(suffix: str, alter: Any, tmp_path: Path) -> None:
    path = tmp_path / f"n.{suffix}"
    if suffix == "nir":
        nir.write(path, graph())
    else:
        write(path, LAYERS)
    chip, said = ne.load_chip("generic45"), []

    def read(data: bytes) -> None:
        path.write_bytes(data)
        try:
            ne.compile(ne.read_nir(path, gain="unit") if suffix == "nir" else ne.read_lava_dl(path), chip)
        except ne.NeuroemuError as error:
            said.append(str(error))
            raise

    survives(read, path.read_bytes(), alter, TRIES)
    assert [text for text in said if "\n" in text] == []


def test_text_in_the_place_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "n.nir"
    nir.write(path, graph())
    with h5py.File(path, "a") as file:
        del file["node/nodes/fc/bias"]
        file["node/nodes/fc/bias"] = "a word"
    with fails(ne.NetworkError, f"{path}: node 'fc': bias is 'a word'; give numbers"):
        ne.read_nir(path)


@pytest.mark.parametrize("kind", ["link", "storage", "view"])
def test_a_nir_file_does_not_have_another_file_read(kind: str, tmp_path: Path) -> None:
    path, other = tmp_path / "n.nir", tmp_path / "other.h5"
    nir.write(path, graph())
    with h5py.File(other, "w") as file:
        file["x"] = np.ones((3, 4))
    with h5py.File(path, "a") as file:
        weight = file["node/nodes/fc/weight"]
        assert weight.shape == (3, 4)
        del file["node/nodes/fc/weight"]
        if kind == "link":
            file["node/nodes/fc/weight"] = h5py.ExternalLink(other, "/x")
        elif kind == "storage":
            file.create_dataset("node/nodes/fc/weight", (3, 4), "f8", external=[(other, 0, 96)])
        else:
            layout = h5py.VirtualLayout((3, 4), "f8")
            layout[:] = h5py.VirtualSource(other, "x", (3, 4))
            file.create_virtual_dataset("node/nodes/fc/weight", layout)
    reason = f"/node/nodes/fc/weight is {'a link, which a NIR file has none of' if kind == 'link' else 'kept in another file'}"
    with fails(ne.FileError, f"{path}: is not read, for {reason}; export it with nir.write"):
        ne.read_nir(path)


def test_a_type_that_is_a_page_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "n.nir"
    nir.write(path, graph())
    with h5py.File(path, "a") as file:
        del file["node/nodes/fc/type"]
        file["node/nodes/fc/type"] = "Linear\n" * 500
    with fails(
        ne.NetworkError,
        f"{path}: node 'fc' is a Linear Linear Linear Linear Linear Linea..., which is not imported; neuroemu imports Input, Output, "
        "Linear, Affine, Scale, Flatten, Delay, Conv2d, SumPool2d, AvgPool2d, IF, LIF, CubaLIF, LI, CubaLI, NIRGraph",
    ):
        ne.read_nir(path)

"""What write_nir writes: every file passes NIR's own type check and gives the same spikes again; the rest is refused."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from fails import fails
from nir_data import CONVENTIONS, vector

import neuroemu as ne

IN = ne.Population("in", (2, 3), ne.HostInput())


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.3, 0.6, shape)


def planes() -> ne.Network:
    """Every population of more than one dimension, one a current-based neuron with a bias a neuron."""
    return ne.Network(
        [
            IN,
            ne.Population("conv", (2, 2, 2), ne.LIF(tau=np.linspace(1e-3, 3e-3, 8).reshape(2, 2, 2), r=8.0)),
            ne.Population("out", (1, 3), ne.CubaLIF(1e-3, 2e-3, 0.05, bias=[0.1, 0.2, 0.9])),
        ],
        [ne.Projection("in", "conv", drawn(0, 6, 8)), ne.Projection("conv", "out", drawn(1, 8, 3))],
        outputs=["out"],
    )


def outputs() -> ne.Network:
    """Three outputs whose order is not that of their names, one of them hidden too."""
    lif = ne.LIF(tau=1e-3, r=9.0)
    return ne.Network(
        [replace(IN, size=6), *(ne.Population(name, 4, lif) for name in ("c", "a", "b"))],
        [ne.Projection("in", "c", drawn(2, 6, 4)), ne.Projection("c", "a", drawn(3, 4, 4)),
         ne.Projection("c", "b", drawn(4, 4, 4))],
        outputs=["c", "b", "a"],
    )  # fmt: skip


def delays() -> ne.Network:
    """A recurrent net with delays from a plane, and a bias on a projection whose shortest delay is not 0."""
    back = ne.Sparse([0, 1, 2, 2], [1, 2, 0, 0], [0.9, 0.8, 0.7, 0.6], [0, 1, 2, 5])
    return ne.Network(
        [IN, ne.Population("h", 3, ne.IF(1.0, 9e3, bias=[0.0, 0.05, 0.1]))],
        [ne.Projection("in", "h", drawn(5, 6, 3), delay=[[1, 2, 3]] * 6), ne.Projection("h", "h", back, "again/and")],
        outputs=["h"],
    )


def named() -> ne.Network:
    """Populations that are called as the writer's own nodes would be."""
    lif = ne.LIF(tau=1e-3, r=9.0)
    return ne.Network(
        [IN, ne.Population("in.flat", 3, lif), ne.Population("output", 3, lif), ne.Population("in->in.flat.weight", 3, lif)],
        [ne.Projection("in", "in.flat", drawn(6, 6, 3)), ne.Projection("in.flat", "output", drawn(7, 3, 3)),
         ne.Projection("output", "in->in.flat.weight", abs(drawn(8, 3, 3)))],
        outputs=["in->in.flat.weight"],
    )  # fmt: skip


def read_out() -> ne.Network:
    """Leaky integrators, whose v is what is read."""
    return ne.Network(
        [IN, ne.Population("h", (1, 4), ne.LIF(tau=1e-3, r=9.0)), ne.Population("li", (2, 2), ne.CubaLI(1e-3, 2e-3))],
        [ne.Projection("in", "h", drawn(9, 6, 4)), ne.Projection("h", "li", drawn(10, 4, 4))],
        outputs=["li"],
    )


NETWORKS = (planes, outputs, delays, named, read_out)


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_what_is_written_passes_nirs_type_check_and_runs_the_same(make: Any, tmp_path: Path) -> None:
    network, path = make(), tmp_path / "n.nir"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.ConventionWarning)  # r is drawn, not tau / dt
        ne.write_nir(network, path)
        graph = nir.read(path, type_check=True)
        again = ne.read_nir(path)
    assert graph.check_types()
    assert {tuple(node.input_type["input"]) for node in graph.inputs.values()} == {network.populations[0].shape}
    assert len(graph.outputs) == len(network.outputs)
    assert again.outputs == network.outputs
    assert {p.name: p.shape for p in again.populations} == {p.name: p.shape for p in network.populations}
    inputs = (np.random.default_rng(11).random((40, 3, 6)) < 0.5).astype(int)
    mine, theirs = ne.simulate(network, inputs), ne.simulate(again, inputs)
    for name, spikes in mine.spikes.items():
        assert spikes.sum() > 10 or np.abs(mine.readout[name]).min() > 0
        assert np.array_equal(spikes, theirs.spikes[name])
    assert mine.readout.keys() == theirs.readout.keys()
    assert all(np.array_equal(v, theirs.readout[name]) for name, v in mine.readout.items())


@pytest.mark.parametrize("number", CONVENTIONS)
def test_a_frameworks_file_written_again_gives_its_spikes(number: str, tmp_path: Path) -> None:
    """Conventions travel in the file; convolutions come back as matrices. The expected spikes are the framework's own."""
    file = vector(number)
    ne.write_nir(file.network(**CONVENTIONS[number]), tmp_path / "n.nir")
    nir.read(tmp_path / "n.nir", type_check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.ConventionWarning)
        again = ne.read_nir(tmp_path / "n.nir")
    few = replace(file, input=file.input[:, :20], output=file.output[:, :20])
    assert few.wrong_bins(ne.simulate(again, few.input).spikes[again.outputs[0]]) == 0


def test_a_file_in_the_place_of_another_replaces_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "n.nir"
    path.write_text("what was there")
    ne.write_nir(outputs(), path)
    assert sorted(nir.read(path).outputs) == ["output_0_c", "output_1_b", "output_2_a"]
    assert [file.name for file in tmp_path.iterdir()] == ["n.nir"]


def test_graded_input_is_said(tmp_path: Path) -> None:
    network = planes()
    graded = replace(network.projections[0], routes={"input": [("drive", "weight*payload")]})
    network = replace(network, projections=(graded, network.projections[1]))
    with pytest.warns(ne.ConventionWarning) as caught:
        ne.write_nir(network, tmp_path / "n.nir")
    assert [str(warning.message) for warning in caught] == [
        "projection 'in->conv' multiplies its weights by the input's values, which NIR does not say; "
        "read the file with graded_input=True"
    ]


# ---- shapes that were changed in the file
@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("conv", [2, 3], "{p}: metadata neuroemu_shapes/conv is [2 3], but 'conv' has 8 neurons; correct or remove it"),
        ("conv", [-2, -4], "{p}: metadata neuroemu_shapes/conv is [-2 -4], but 'conv' has 8 neurons; correct or remove it"),
        ("conv", [2.0, 4.0], "{p}: metadata neuroemu_shapes/conv is [2. 4.], but 'conv' has 8 neurons; correct or remove it"),
        ("gone", [8], "{p}: metadata neuroemu_shapes/gone is [8], but 'gone' is no population; correct or remove it"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(name: str, value: list[float], text: str, tmp_path: Path) -> None:
    path = tmp_path / "n.nir"
    ne.write_nir(planes(), path)
    with h5py.File(path, "a") as file:
        group = file["node/metadata/neuroemu_shapes"]
        group.pop(name, None)
        group[name] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.ConventionWarning)
        with fails(ne.NetworkError, text.format(p=path)):
            ne.read_nir(path)


# ---- what NIR cannot hold
def units(neuron: Any, **projection: Any) -> ne.Network:
    return ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("out", 1, neuron)],
        [ne.Projection("in", "out", [[1]], **projection)],
        outputs=["out"],
    )


LIF = ne.LIF(tau=1e-3)
PLAIN = units(LIF)
BAD = [
    (units(ne.Firmware("if", {"threshold": 3})), "population 'out' is in register units; NIR holds float models only"),
    (units(LIF, rule="some"), "projection 'in->out' runs a rule; NIR holds no rules, write the network without it"),
    (units(LIF, routes={"input": [("side", "weight")]}),
     "projection 'in->out' has routes of its own; NIR holds none, write the network without them"),
    (replace(PLAIN, phases=[ne.Phase(0, 3)]), "the network has phases; NIR holds none, write the network without them"),
    (replace(PLAIN, modulators=[ne.Modulator("out", 3)]),
     "the network has modulators; NIR holds none, write the network without them"),
    (replace(PLAIN, populations=[PLAIN.populations[0], replace(PLAIN.populations[1], compete={"spike": "v"})]),
     "population 'out' has a winner unit; NIR holds none, write the network without it"),
    (replace(PLAIN, outputs=()), "the network has no outputs; a NIR graph ends at one, name the populations to read out"),
    (ne.Network([ne.Population("out", 1, LIF)], outputs=["out"]),
     "the network has no host input; a NIR graph begins at one, add a HostInput population"),
    (PLAIN.add(ne.Population("alone", 1, LIF)),
     "population 'alone' is fed by nothing, and NIR keeps a bias in what feeds a node; "
     "add a projection from a host input, of zero weights if need be"),
    (PLAIN.add(ne.Population("a/b", 1, LIF)),
     "population 'a/b' has a name that HDF5 cannot hold; use no slash"),
]  # fmt: skip


@pytest.mark.parametrize(("network", "text"), BAD, ids=[text[:50] for _, text in BAD])
def test_what_nir_cannot_hold_is_not_written(network: ne.Network, text: str, tmp_path: Path) -> None:
    with fails(ne.NetworkError, text):
        ne.write_nir(network, tmp_path / "n.nir")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    gone = tmp_path / "no" / "n.nir"
    text = f"{gone}: cannot be written (No such file or directory); check the folder and its permissions"
    with fails(ne.FileError, text):
        ne.write_nir(PLAIN, gone)

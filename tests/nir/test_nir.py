"""NIR import: what becomes of each node, and what is refused in whose words."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from fails import fails

import neuroemu as ne

ONE = np.ones
DT = 1e-4
Nodes = dict[str, Any]
Edges = list[tuple[str, str]]


def lif(n: int = 2, **values: Any) -> nir.LIF:
    """LIF neurons whose input gain is one."""
    given = {"tau": ONE(n) * 1e-3, "r": ONE(n) * 10, "v_leak": 0 * ONE(n), "v_threshold": ONE(n), "v_reset": 0 * ONE(n)}
    return nir.LIF(**given | values)


def plain() -> tuple[Nodes, Edges]:
    """in(2) -> fc(3x2) -> out(3) -> o, which imports without a word."""
    nodes = {
        "in": nir.Input({"input": np.array([2])}),
        "fc": nir.Linear(np.arange(6.0).reshape(3, 2)),
        "lif": lif(3),
        "o": nir.Output({"output": np.array([3])}),
    }
    return nodes, [("in", "fc"), ("fc", "lif"), ("lif", "o")]


def write(path: Path, nodes: Nodes, edges: Edges, **more: Any) -> Path:
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False, **more))
    return path


def read(tmp_path: Path, nodes: Nodes, edges: Edges, **options: Any) -> ne.Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.ConventionWarning)
        return ne.read_nir(write(tmp_path / "n.nir", nodes, edges), **options)


def weights(network: ne.Network, k: int = 0) -> np.ndarray:
    """A projection's weights as a matrix, delays put aside."""
    p = network.projections[k]
    if not isinstance(p.weight, ne.Sparse):
        return np.asarray(p.weight)
    matrix = np.zeros((network.population(p.pre).n, network.population(p.post).n))
    matrix[p.weight.pre, p.weight.post] = p.weight.weight
    return matrix


# ---- what is imported
def test_linear_nodes_become_one_projection(tmp_path: Path) -> None:
    nodes, edges = plain()
    nodes |= {"scale": nir.Scale(np.array([2.0, -1.0])), "flat": nir.Flatten({"input": np.array([2])}, 0, -1)}
    edges = [("in", "scale"), ("scale", "flat"), ("flat", "fc"), *edges[1:]]
    network = read(tmp_path, nodes, edges)
    assert [p.name for p in network.populations] == ["in", "lif"]
    assert network.outputs == ("lif",)
    assert np.array_equal(weights(network), np.arange(6.0).reshape(3, 2).T * [[2], [-1]])


def test_affine_bias_reaches_the_neuron_and_parallel_paths_add(tmp_path: Path) -> None:
    nodes, edges = plain()
    nodes["other"] = nir.Affine(ONE((3, 2)), np.array([1.0, 2.0, 3.0]))
    network = read(tmp_path, nodes, [*edges, ("in", "other"), ("other", "lif")])
    assert np.array_equal(network.population("lif").neuron.bias, [1, 2, 3])
    assert np.array_equal(weights(network), (np.arange(6.0).reshape(3, 2) + 1).T)


def test_delays_are_rounded_to_ticks_by_channel(tmp_path: Path) -> None:
    nodes, edges = plain()
    nodes["late"] = nir.Delay(np.array([2e-4, 5.2e-4]))
    network = read(tmp_path, nodes, [("in", "late"), ("late", "fc"), *edges[1:]])
    sparse = network.projections[0].weight
    assert {(int(a), int(d)) for a, d in zip(sparse.pre, sparse.delay, strict=True)} == {(0, 2), (1, 5)}


def test_recurrence_stays_a_loop(tmp_path: Path) -> None:
    nodes, edges = plain()
    nodes["back"] = nir.Linear(np.eye(3))
    network = read(tmp_path, nodes, [*edges, ("lif", "back"), ("back", "lif")])
    assert {(p.pre, p.post) for p in network.projections} == {("in", "lif"), ("lif", "lif")}


def test_nested_graphs_lose_their_border(tmp_path: Path) -> None:
    inner = nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([3])}),
            "cells": lif(3),
            "output": nir.Output({"output": np.array([3])}),
        },
        [("input", "cells"), ("cells", "output")],
        type_check=False,
    )
    nodes, _ = plain()
    nodes["lif"] = inner
    network = read(tmp_path, nodes, [("in", "fc"), ("fc", "lif"), ("lif", "o")])
    assert [p.name for p in network.populations] == ["in", "lif.cells"]
    assert network.outputs == ("lif.cells",)


def test_a_nested_name_does_not_hide_another_node(tmp_path: Path) -> None:
    """A nested graph m with a node lif, beside a node called m.lif: both run, and the outer one keeps its name."""
    inner = {
        "input": nir.Input({"input": np.array([3])}),
        "lif": lif(3, v_threshold=ONE(3) * 7),
        "output": nir.Output({"output": np.array([3])}),
    }
    nodes = plain()[0] | {
        "m": nir.NIRGraph(inner, [("input", "lif"), ("lif", "output")], type_check=False),
        "m.lif": lif(3, v_threshold=ONE(3) * 5),
        "to": nir.Linear(np.eye(3)),
    }
    del nodes["lif"]
    network = read(tmp_path, nodes, [("in", "fc"), ("fc", "m"), ("m", "to"), ("to", "m.lif"), ("m.lif", "o")])
    thresholds = {p.name: float(p.neuron.v_threshold[0]) for p in network.populations[1:]}
    assert thresholds == {"m.lif_": 7, "m.lif": 5}
    assert [(p.pre, p.post) for p in network.projections] == [("in", "m.lif_"), ("m.lif_", "m.lif")]
    assert network.outputs == ("m.lif",)


def test_conventions_travel_in_the_file(tmp_path: Path) -> None:
    conventions = ne.Conventions(dt=1e-3, reset="subtract", spike_if=">=")
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("out", 3, ne.LIF(tau=2e-3, r=2.0, bias=[0, 0.5, 1]))],
        [ne.Projection("in", "out", np.arange(6.0).reshape(2, 3), delay=[[0, 1, 2], [0, 0, 1]])],
        outputs=["out"],
        conventions=conventions,
    )
    ne.write_nir(network, tmp_path / "n.nir")
    again = ne.read_nir(tmp_path / "n.nir")
    assert again.conventions == conventions
    assert ne.read_nir(tmp_path / "n.nir", reset="zero").conventions.reset == "zero"
    inputs = (np.random.default_rng(1).random((30, 2, 2)) < 0.5).astype(int)
    mine, theirs = ne.simulate(network, inputs), ne.simulate(again, inputs)
    assert mine.spikes["out"].sum() > 10
    assert np.array_equal(mine.spikes["out"], theirs.spikes["out"])


def test_a_gain_that_is_not_one_is_said(tmp_path: Path) -> None:
    nodes, edges = plain()
    path = write(tmp_path / "n.nir", nodes | {"lif": lif(3, r=ONE(3))}, edges)
    with pytest.warns(ne.ConventionWarning) as caught:
        ne.read_nir(path)
    assert str(caught[0].message) == (
        f"{path}: node 'lif': r is 1, not tau/dt = 10: its input is multiplied by 0.1, as NIR says; check dt, "
        "or use gain='unit' if the exporting framework ignores r"
    )
    assert ne.read_nir(path, gain="unit").conventions.gain == "unit"


def test_an_output_shape_of_the_right_size_is_repaired_aloud(tmp_path: Path) -> None:
    nodes, edges = plain()
    path = write(tmp_path / "n.nir", nodes | {"o": nir.Output({"output": np.array([1, 3])})}, edges)
    with pytest.warns(ne.ConventionWarning) as caught:
        ne.read_nir(path)
    assert str(caught[0].message) == f"{path}: node 'o': shape (1, 3) read as (3,), the shape of 'lif'"


# ---- what is refused
def change(
    nodes: Nodes | None = None, edges: Edges | None = None, drop: Edges = ()
) -> Callable[[], tuple[Nodes, Edges]]:  # type: ignore[assignment]
    """The plain graph with nodes replaced or added, edges added and dropped."""

    def build() -> tuple[Nodes, Edges]:
        old_nodes, old_edges = plain()
        return old_nodes | (nodes or {}), [e for e in old_edges if e not in drop] + (edges or [])

    return build


def nested(n_inputs: int) -> nir.NIRGraph:
    inner: Nodes = {f"i{k}": nir.Input({"input": np.array([3])}) for k in range(n_inputs)}
    inner |= {"cells": lif(3), "output": nir.Output({"output": np.array([3])})}
    edges = [("cells", "output"), *((f"i{k}", "cells") for k in range(n_inputs))]
    return nir.NIRGraph(inner, edges, type_check=False)


BAD_GRAPHS = [
    (change(edges=[("in", "ghost")]), "{p}: edge ('in', 'ghost') names 'ghost', which is no node; correct the edges"),
    (change(edges=[("in", "fc")]), "{p}: edge ('in', 'fc') is listed twice; keep one"),
    (change({"fc": nir.Linear(ONE((3, 2)) * np.nan)}), "{p}: node 'fc': weight holds nan; give numbers"),
    (change({"lif": lif(3, tau=np.array([1e-3, 0, 1e-3]))}), "{p}: node 'lif': tau is 0 s; a time constant is above 0"),
    (change({"o": nir.Output({"output": np.array([1.5])})}),
     "{p}: node 'o': output_type is a list of 1; give whole numbers"),
    (change({"in": nir.Input({"input": np.array([2.0])})}),
     "{p}: node 'in': input_type is a list of 1; give whole numbers"),
    (change({"in": nir.Input({"input": np.array([[2], [1]])})}),
     "{p}: node 'in': input_type has shape (2, 1); give one whole number an axis"),
    (change({"o": nir.Output({"output": np.array([], np.int64)})}),
     "{p}: node 'o': output_type has shape (0,); give one whole number an axis"),
    (change({"lif": nested(2)}), "{p}: node 'lif': nested graph has 2 Input nodes; give it one"),
    (change({"in": lif(2)}, [("in", "in")]), "{p}: the graph has no Input node; add one"),
    (change({"o": lif(3)}), "{p}: the graph has no Output node; add one"),
    (change(edges=[("fc", "o")], drop=[("lif", "o")]),
     "{p}: node 'o': is fed by 'fc', a Linear; put an LI or a spiking node before the Output"),
    (change({"o": nir.Output({"output": np.array([4])})}),
     "{p}: node 'o': has shape (4,), its source 'lif' (3,); correct the Output's shape"),
    (change({"lif": lif(1), "s": nir.Scale(ONE(1)), "fc": nir.Scale(ONE(1))}, [("fc", "s"), ("s", "fc")], [("in", "fc")]),
     "{p}: node 'fc': its size depends on itself; give the loop a node with parameters of its size"),
    (change({"fc": nir.Linear(ONE((3, 2, 1)))}),
     "{p}: node 'fc': weight has shape (3, 2, 1); a Linear takes a matrix (outputs, inputs)"),
    (change(drop=[("in", "fc")]), "{p}: node 'fc': nothing feeds it; connect it or remove it"),
    (change({"lif": lif(1)}, drop=[("fc", "lif")]), "{p}: node 'lif': nothing feeds it; connect it or remove it"),
    (change(drop=[("fc", "lif")]), "{p}: node 'lif': nothing feeds it; connect it or remove it"),
    (change({"s": nir.Scale(ONE(3))}, [("fc", "s"), ("s", "fc2"), ("fc2", "s"), ("s", "lif")], [("fc", "lif")])
     , "{p}: edge ('s', 'fc2') names 'fc2', which is no node; correct the edges"),
    (change({"s": nir.Scale(ONE(3)), "t": nir.Scale(ONE(3))}, [("fc", "s"), ("s", "t"), ("t", "s"), ("s", "lif")], [("fc", "lif")]),
     "{p}: node 's': lies on a loop without a neuron; put a spiking node into the loop"),
    (change({"lif": nir.LI(ONE(3) * 1e-3, ONE(3) * 10, 0 * ONE(3)), "more": nir.Linear(ONE((3, 3))), "x": lif(3)},
            [("lif", "more"), ("more", "x"), ("x", "o")], [("lif", "o")]),
     "{p}: node 'lif': feeds other nodes, but a leaky integrator sends no packets; read it out, or use a spiking node"),
    (change({"fc": nir.Linear(ONE((3, 5)))}), "{p}: node 'fc': takes 5 values, 'in' gives it 2; correct the shapes"),
    (change({"lif": lif(4), "o": nir.Output({"output": np.array([4])})}),
     "{p}: node 'lif': has 4 neurons, 'in' gives it 3 values; correct the shapes"),
    (change({"a": nir.Affine(np.eye(2), ONE(2)), "d": nir.Delay(ONE(2) * DT)}, [("in", "a"), ("a", "d"), ("d", "fc")], [("in", "fc")]),
     "{p}: node 'd': delays a bias; put the Delay before the Affine"),
    (change({"d": nir.Delay(np.array([DT, -DT]))}, [("in", "d"), ("d", "fc")], [("in", "fc")]),
     "{p}: node 'd': delay is -0.0001 s; a delay is 0 or more"),
    (change({"c": nir.Conv1d(3, ONE((1, 1, 1)), 1, 0, 1, 1, ONE(1))}),
     "{p}: node 'c' is a Conv1d, which is not imported; neuroemu imports Input, Output, Linear, Affine, Scale, Flatten, Delay, Conv2d, "
     "SumPool2d, AvgPool2d, IF, LIF, CubaLIF, LI, CubaLI, NIRGraph"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "text"), BAD_GRAPHS, ids=[text[5:60] for _, text in BAD_GRAPHS])
def test_bad_graphs_are_refused_by_name(build: Callable[[], tuple[Nodes, Edges]], text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "n.nir", *build())
    with fails(ne.NetworkError, text.format(p=path)):
        ne.read_nir(path, gain="unit")


def test_files_that_are_no_nir_files(tmp_path: Path) -> None:
    path = tmp_path / "x.nir"
    with fails(ne.FileError, f"{path}: no such file; give the path of a NIR file"):
        ne.read_nir(path)
    path.write_bytes(b"not hdf5 at all")
    reason = "Unable to synchronously open file (file signature not found)"
    with fails(ne.FileError, f"{path}: is not a NIR file ({reason}); export it with nir.write"):
        ne.read_nir(path)
    with h5py.File(path, "w") as file:
        file["other"] = 1
    reason = "\"Unable to synchronously open object (object 'node' doesn't exist)\""
    with fails(ne.FileError, f"{path}: is not a NIR file ({reason}); export it with nir.write"):
        ne.read_nir(path)


def test_a_file_that_kills_the_hdf5_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.nir", *plain())
    monkeypatch.setattr("neuroemu.nir.read._checked", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    with fails(ne.FileError, f"{path}: is damaged: the HDF5 library crashes or hangs on it; export it again"):
        ne.read_nir(path)


def test_a_node_without_its_parameters(tmp_path: Path) -> None:
    path = write(tmp_path / "x.nir", *plain())
    with h5py.File(path, "a") as file:
        del file["node/nodes/lif/tau"]
    reason = "LIF.__init__() missing 1 required positional argument: 'tau'"
    with fails(ne.NetworkError, f"{path}: the graph cannot be read ({reason}); export it again"):
        ne.read_nir(path)


def test_metadata_that_is_no_convention(tmp_path: Path) -> None:
    path = write(tmp_path / "x.nir", *plain(), metadata={"neuroemu": {"colour": "red"}})
    known = "decay, dt, gain, max_spikes, reset, reset_timing, spike_if"
    text = f"{path}: metadata neuroemu/colour is not a convention; the conventions are {known}"
    with fails(ne.NetworkError, text):
        ne.read_nir(path)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"neuroemu": 3}, "{p}: metadata neuroemu is 3, not a group of values; correct or remove it"),
        ({"neuroemu": {"nodes": "lif"}}, "{p}: metadata neuroemu/nodes is lif, not a group of values; correct or remove it"),
        ({"neuroemu": {"nodes": {"lif": 1}}}, "{p}: metadata neuroemu/nodes/lif is 1, not a group of values; correct or remove it"),
        ({"neuroemu": {"reset": np.array([1, 2])}}, "{p}: metadata neuroemu/reset is [1 2]; give one word or one number"),
        ({"neuroemu": {"nodes": {"lif": {"max_spikes": np.zeros((2, 1))}}}},
         "{p}: metadata neuroemu/nodes/lif/max_spikes is [[0.] [0.]]; give one word or one number"),
    ],
)  # fmt: skip
def test_metadata_of_another_kind(metadata: dict[str, Any], text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.nir", *plain(), metadata=metadata)
    with fails(ne.NetworkError, text.format(p=path)):
        ne.read_nir(path)

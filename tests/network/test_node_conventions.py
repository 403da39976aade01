"""Conventions of single nodes: read, simulated, compiled, written."""

from __future__ import annotations

import json
from pathlib import Path

import nir
import numpy as np
import pytest
from click.testing import CliRunner
from fails import fails
from mixed import CONVENTIONS, DT, inputs, parameters, spikes, write

import neuroemu as ne
from neuroemu.cli.main import cli

FLOAT_MAKE = {"dt": DT, "gain": "nir", **CONVENTIONS}


@pytest.mark.parametrize("seed", range(3))
def test_mixed_conventions_are_reproduced_in_float(seed: int, tmp_path: Path) -> None:
    p, given = parameters(seed), inputs(seed)
    network = ne.read_nir(write(tmp_path / "x.nir", p), **FLOAT_MAKE)  # type: ignore[arg-type]
    hidden, out = spikes(p, given)
    assert 0.02 < out.mean() < 0.5
    assert 0.02 < hidden.mean() < 0.5
    found = ne.simulate(network, given)
    assert np.array_equal(found.spikes["out"].transpose(1, 0, 2), out)
    assert np.array_equal(found.spikes["hidden"].transpose(1, 0, 2), hidden)
    alike = ne.read_nir(tmp_path / "x.nir", dt=DT, reset="subtract", reset_timing="next")
    assert np.mean(ne.simulate(alike, given).spikes["out"].transpose(1, 0, 2) != out) > 0.01


def test_mixed_conventions_on_the_chip(tmp_path: Path) -> None:
    p, given = parameters(0), inputs(0)
    network = ne.read_nir(write(tmp_path / "x.nir", p), **FLOAT_MAKE)  # type: ignore[arg-type]
    out = spikes(p, given)[1]
    for bits, limit in ((16, 0.01), (8, 0.16)):
        image = ne.compile(network, ne.load_chip("generic45"), weight_bits=bits)
        run = ne.run(image, given, engine="python")
        dense = run.raster("out")
        assert np.mean(dense != out.transpose(1, 0, 2)) < limit, bits


def test_metadata_survives_our_writer_and_nirs_own(tmp_path: Path) -> None:
    p, given = parameters(0), inputs(0)
    network = ne.read_nir(write(tmp_path / "x.nir", p), **FLOAT_MAKE)  # type: ignore[arg-type]
    ne.write_nir(network, tmp_path / "ours.nir")
    nir.write(tmp_path / "theirs.nir", nir.read(tmp_path / "ours.nir"))
    exact = ne.simulate(network, given).spikes["out"]
    assert exact.any()
    for name in ("ours.nir", "theirs.nir"):
        again = ne.read_nir(tmp_path / name)
        assert again.population("hidden").conventions == {"reset": "subtract", "reset_timing": "next", "spike_if": ">"}
        assert again.conventions == network.conventions
        assert np.array_equal(ne.simulate(again, given).spikes["out"], exact)
    zero = ne.read_nir(tmp_path / "ours.nir", reset="zero")
    assert zero.population("hidden").conventions == {"reset_timing": "next", "spike_if": ">"}


def test_what_cannot_be_said_of_a_node(tmp_path: Path) -> None:
    soma = ne.LIF(tau=1e-2)
    known = "reset, reset_timing, spike_if, decay, gain, max_spikes"
    with fails(ne.NetworkError, "population 'a': 'dt' is no convention of a node; dt is the network's alone"):
        ne.Network([ne.Population("a", 1, soma, conventions={"dt": 1e-3})])
    with fails(ne.NetworkError, f"population 'a': 'rest' is no convention of a node; there are {known}"):
        ne.Network([ne.Population("a", 1, soma, conventions={"rest": 1e-3})])
    with fails(ne.NetworkError, "population 'a': convention reset is 'one'; choose one of zero, subtract"):
        ne.Network([ne.Population("a", 1, soma, conventions={"reset": "one"})])
    text = "population 'a' is firmware in register units, which has no conventions; leave them out"
    with fails(ne.NetworkError, text):
        ne.Network([ne.Population("a", 1, ne.Firmware("lif"), conventions={"reset": "zero"})])
    with fails(ne.NetworkError, "population 'a' is a host input, which has no conventions; leave them out"):
        ne.Network([ne.Population("a", 1, ne.HostInput(), conventions={"reset": "zero"})])
    path = write(tmp_path / "x.nir", parameters(0))
    with fails(ne.UnknownNameError, "no neuron node named 'hiden'; did you mean 'hidden'? there are: hidden, out"):
        ne.read_nir(path, dt=DT, reset={"hiden": "zero"})
    with fails(ne.NetworkError, "population 'hidden': convention reset is 'no'; choose one of zero, subtract"):
        ne.read_nir(path, dt=DT, reset={"hidden": "no"})  # type: ignore[dict-item]


def test_the_command_line_takes_them_by_node(tmp_path: Path) -> None:
    p, given = parameters(0), inputs(0)
    path = write(tmp_path / "x.nir", p)
    np.save(tmp_path / "x.npy", given)
    np.save(tmp_path / "y.npy", spikes(p, given)[1])
    base = [
        "match",
        str(path),
        "--input",
        str(tmp_path / "x.npy"),
        "--expect",
        str(tmp_path / "y.npy"),
        "--dt",
        "0.001",
    ]
    said = ["--reset", "zero", "--reset", "hidden=subtract", "--reset-timing", "hidden=next", "--json"]
    done = CliRunner().invoke(cli, [*base, *said])
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert (answer["matched"], answer["missed"], answer["extra"]) == (True, 0, 0)
    wrong = CliRunner().invoke(cli, [*base, "--reset", "hidden=half"])
    assert wrong.exit_code == 2
    assert (
        "Invalid value for --reset: 'hidden=half' is neither one of zero, subtract nor NODE=VALUE with one of them"
        in wrong.output
    )
    twice = CliRunner().invoke(cli, [*base, "--reset", "zero", "--reset", "subtract"])
    assert "Invalid value for --reset: all nodes got two values, zero and subtract; give one" in twice.output

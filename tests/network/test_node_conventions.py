"""Conventions of single nodes: read, simulated, compiled, written."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

import neuroemu as ne
from mixed import CONVENTIONS, DT, N_IN, inputs, parameters, spikes, write

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

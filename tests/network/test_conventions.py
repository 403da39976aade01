"""Conventions by the names they had before: they work for one release, with a warning."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

import neuroemu as ne

WARNING = r"^convention compare is spike_if now; the old name goes with the next release$"


def test_the_old_argument_is_the_new_one() -> None:
    with pytest.warns(DeprecationWarning, match=WARNING):
        old = ne.Conventions(compare=">=")  # type: ignore[call-arg]
    assert old == ne.Conventions(spike_if=">=") != ne.Conventions()
    with pytest.warns(DeprecationWarning, match=WARNING):
        assert old.compare == ">="


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(ne.NetworkError) as caught:
        ne.Conventions(spike_if=">", compare=">=")  # type: ignore[call-arg]
    assert str(caught.value) == "conventions compare and spike_if are one; give spike_if alone"


def graph(path: Path, metadata: dict[str, object]) -> Path:
    one = np.ones(1)
    nodes = {
        "input": nir.Input({"input": np.array([1])}),
        "weight": nir.Linear(np.ones((1, 1))),
        "if": nir.IF(r=1e4 * one, v_threshold=one, v_reset=0 * one),
        "output": nir.Output({"output": np.array([1])}),
    }
    edges = [("input", "weight"), ("weight", "if"), ("if", "output")]
    nir.write(path, nir.NIRGraph(nodes, edges, metadata=metadata))
    return path


def test_read_nir_takes_the_old_argument_and_files_of_before(tmp_path: Path) -> None:
    path = graph(tmp_path / "x.nir", {})
    with pytest.warns(DeprecationWarning, match=WARNING):
        assert ne.read_nir(path, compare=">=").conventions.spike_if == ">="
    before = graph(tmp_path / "before.nir", {"neuroemu": {"compare": ">="}})
    assert ne.read_nir(before).conventions.spike_if == ">="
    assert ne.read_nir(before, spike_if=">").conventions.spike_if == ">"

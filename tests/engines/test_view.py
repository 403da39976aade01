"""A master weight and the rounded view of it that the datapath takes: the same bits on every engine, and what it may be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import firmware, spikes
from fails import fails
from hypothesis import given
from hypothesis import strategies as st

import neuroemu as ne
from neuroemu.engines.available import runnable
from neuroemu.language.machine import viewed

VIEW = ne.View(4, 8)
TABLE = [
    (0, 0),
    (7, 0),
    (8, 1),
    (-8, 0),
    (-9, -1),
    (2039, 127),
    (2040, 127),
    (32767, 127),
    (-32768, -128),
    (-2056, -128),
]
"""Masters and what a shift of 4 to 8 bits, rounded to nearest, makes of them."""


def network(
    view: ne.View | None, weight: np.ndarray, *, sparse: bool = False, rule: bool = True, back: np.ndarray | None = None
) -> ne.Network:
    """Spikes through a viewed projection that learns, and back through one that is viewed otherwise."""
    n_in, n = weight.shape
    back = weight.T // 8 if back is None else back
    pre, post = np.nonzero(np.ones_like(weight))
    up = ne.Sparse(pre, post, weight.ravel()) if sparse else weight
    learns = {"rule": firmware("deferred_plain"), "params": {"rate": 0}} if rule else {}
    return ne.Network(
        [
            ne.Population("source", n_in, ne.HostInput()),
            ne.Population("a", n_in, ne.Firmware("if", {"threshold": 3})),
            ne.Population("b", n, ne.Firmware("lif", {"decay_v": 700, "threshold": 20})),
        ],
        [
            ne.Projection("source", "a", np.eye(n_in) * 5, "one"),
            ne.Projection("a", "b", up, "up", view=view, **learns),
            ne.Projection("b", "a", back, "down", view=ne.View(3, 6, "floor")),
        ],
        outputs=["b"],
        probes=[("b", "v")],
        phases=[ne.Phase(0, 15)],
    )


@pytest.mark.parametrize(("master", "seen"), TABLE)
def test_a_view_is_rounded_and_saturated(master: int, seen: int) -> None:
    assert viewed(master, 4, 8, 8) == seen


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(1, 31), st.integers(2, 32), st.booleans())
def test_a_view_is_the_nearest_or_the_floor(master: int, shift: int, bits: int, nearest: bool) -> None:
    half = 1 << (shift - 1) if nearest else 0
    exact = (2 * master + (1 << shift)) // (2 << shift) if nearest else master // (1 << shift)
    assert viewed(master, shift, half, bits) == min(max(exact, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)


def test_a_view_decides_what_the_ports_get() -> None:
    """A network with a view runs as one whose weights are the view; a memory word holds the master."""
    rng = np.random.default_rng(1)
    weight = rng.integers(-900, 2600, (7, 5))
    rounded = np.vectorize(lambda w: viewed(int(w), 4, 8, 8))(weight)
    assert (rounded != weight >> 4).any()
    assert rounded.max() == 127
    inputs = spikes(rng, 12, 3, 7)
    chip = ne.load_chip("generic45")
    run = ne.run(ne.compile(network(VIEW, weight, rule=False), chip), inputs)
    plain = ne.run(ne.compile(network(None, rounded, rule=False, back=weight.T // 8), chip), inputs)
    assert len(run.spikes) > 50
    assert run.spikes == plain.spikes
    assert np.array_equal(run.probes["b", "v"], plain.probes["b", "v"])
    assert np.array_equal(run.weights["up"], weight.ravel())


@pytest.mark.parametrize("sparse", [False, True])
def test_engines_agree_and_masters_move(sparse: bool) -> None:
    rng = np.random.default_rng(2)
    weight = rng.integers(-20, 60, (7, 5)) * 10
    image = ne.compile(network(VIEW, weight, sparse=sparse), ne.load_chip("generic45"))
    inputs = spikes(rng, 12, 6, 7)
    runs = [ne.run(image, inputs, engine=engine, plastic=True, commit_every=2) for engine in runnable()]
    assert len(runs[0].spikes) > 50
    moved = runs[0].weights["up"] - weight.ravel()
    assert (moved != 0).mean() > 0.5
    assert all(runs[0].differs(run) is None for run in runs)
    blind = ne.run(ne.compile(network(None, weight), ne.load_chip("generic45")), inputs, plastic=True, commit_every=2)
    assert blind.differs(runs[0]) is not None


def test_an_image_keeps_its_views(tmp_path: Path) -> None:
    weight = np.full((4, 3), 77)
    image = ne.compile(network(VIEW, weight), ne.load_chip("generic45"))
    image.save(tmp_path / "a.image")
    again = ne.load_image(tmp_path / "a.image")
    assert [p.view for p in again.projections] == [None, (4, 8, 8), (3, 0, 6)]
    assert again.digest == image.digest
    assert ne.compile(network(ne.View(4, 7), weight), ne.load_chip("generic45")).digest != image.digest


def test_what_is_no_view_is_refused() -> None:
    weight = np.full((4, 3), 77)
    net = network(VIEW, weight)
    text = "projection 'up': view has shift 0, bits 8, rounding 'nearest'; use a shift of 1 to 31, 2 to 32 bits, and nearest or floor"
    with fails(ne.NetworkError, text):
        network(ne.View(0, 8), weight)
    text = "projection 'up': a view is of weights in register units, population 'b' is a float model; give it a Firmware neuron"
    with fails(ne.NetworkError, text):
        replace(net, populations=(*net.populations[:2], ne.Population("b", 3, ne.IF())))
    mirror = ne.Projection("b", "a", weight.T, "down", mirror="up", rule=firmware("deferred_plain"), params={"rate": 0})
    torn = replace(net, projections=(*net.projections[:2], mirror))
    with fails(
        ne.NetworkError, "projection 'down' mirrors 'up' and has another view of the weights; give both the same"
    ):
        ne.compile(torn, ne.load_chip("generic45"))

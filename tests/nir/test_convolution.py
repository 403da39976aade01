"""Convolution and pooling: against loops over pixels, stored once, split over cores, and refused in whose words."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from fails import fails
from hypothesis import given
from hypothesis import strategies as st
from nir_data import CONVENTIONS, vector

import neuroemu as ne
from neuroemu.chip.chip import parse_chip
from neuroemu.nir.convolution import SlidingWindow, convolve, pool

SINABS = CONVENTIONS["08"]


def padded(image: np.ndarray, window: SlidingWindow) -> np.ndarray:
    return np.pad(image, ((0, 0), *zip(window.before, window.after, strict=True)))


def by_loops(image: np.ndarray, weight: np.ndarray, groups: int, window: SlidingWindow) -> np.ndarray:
    """The textbook correlation, one output pixel at a time."""
    inside = padded(image, window)
    n_out, per_group = weight.shape[:2]
    out = np.zeros((n_out, *window.output(*image.shape[1:])))
    (sy, sx), (dy, dx), (ky, kx) = window.stride, window.dilation, window.size
    for o, y, x in np.ndindex(*out.shape):
        first = o // (n_out // groups) * per_group
        patch = inside[first : first + per_group, y * sy : y * sy + dy * ky : dy, x * sx : x * sx + dx * kx : dx]
        out[o, y, x] = np.sum(patch[:, :ky, :kx] * weight[o])
    return out


pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
padding = st.tuples(st.integers(0, 2), st.integers(0, 2))


@given(pair, pair, pair, padding, padding, st.sampled_from([1, 2]), st.integers(0, 2**32 - 1))
def test_convolution_is_the_textbook_sum(
    size: Any, stride: Any, dilation: Any, before: Any, after: Any, groups: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    window = SlidingWindow(size, stride, dilation, before, after)
    image, weight = rng.normal(size=(4, 7, 8)), rng.normal(size=(6, 4 // groups, *size))
    plane = convolve(weight, groups, (4, 7, 8), window, "c")
    expected = by_loops(image, weight, groups, window)
    assert plane.shape == expected.shape
    got = np.zeros(expected.size)
    np.add.at(got, plane.entries.post, image.ravel()[plane.entries.pre] * plane.entries.weight)
    assert np.abs(expected).sum() > 0
    assert np.allclose(got, expected.ravel())
    assert np.unique(plane.entries.tag).size <= weight.size


def test_pooling_sums_or_averages_each_channel() -> None:
    image = np.arange(2 * 4 * 6, dtype=float).reshape(2, 4, 6)
    plane = pool(0.25, (2, 4, 6), SlidingWindow((2, 2), (2, 2)))
    got = np.bincount(plane.entries.post, image.ravel()[plane.entries.pre] * plane.entries.weight)
    assert np.array_equal(got.reshape(plane.shape), image.reshape(2, 2, 2, 3, 2).mean((2, 4)))


# ---- as NIR graphs
def ifs(*shape: int) -> nir.IF:
    return nir.IF(np.ones(shape), np.full(shape, 1.5))


def conv(weight: np.ndarray, **more: Any) -> nir.Conv2d:
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(weight.shape[0])} | more
    return nir.Conv2d(given.pop("input_shape", (5, 5)), weight, **given)


def line(tmp_path: Path, shape: tuple[int, ...], *nodes: Any) -> ne.Network:
    """Input, the nodes one after the other, and an Output."""
    names = {f"n{k}": node for k, node in enumerate(nodes)}
    last = nodes[-1].v_threshold.shape
    graph = {"in": nir.Input({"input": np.array(shape)}), **names, "o": nir.Output({"output": np.array(last)})}
    order = list(graph)
    path = tmp_path / "n.nir"
    nir.write(path, nir.NIRGraph(graph, list(pairwise(order)), type_check=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.ConventionWarning)
        return ne.read_nir(path, **SINABS)


def matrix(network: ne.Network, k: int = 0) -> np.ndarray:
    p = network.projections[k]
    dense = np.zeros((network.population(p.pre).n, network.population(p.post).n))
    dense[p.weight.pre, p.weight.post] = p.weight.weight
    return dense


@pytest.mark.parametrize(
    ("text", "before", "after"), [("same", (1, 0), (1, 1)), ("valid", (0, 0), (0, 0)), ((2, 1), (2, 1), (2, 1))]
)
def test_padding_in_words_and_numbers(text: Any, before: Any, after: Any, tmp_path: Path) -> None:
    weight = np.random.default_rng(1).normal(size=(2, 1, 3, 2))
    shape = SlidingWindow((3, 2), before=before, after=after).output(5, 5)
    network = line(tmp_path, (1, 5, 5), conv(weight, padding=text), ifs(2, *shape))
    image = np.random.default_rng(2).normal(size=(1, 5, 5))
    expected = by_loops(image, weight, 1, SlidingWindow((3, 2), before=before, after=after))
    assert np.allclose(image.ravel() @ matrix(network), expected.ravel())


def test_a_chain_without_neurons_is_one_projection_that_still_shares(tmp_path: Path) -> None:
    """Pooling, a convolution, channel scales and a Flatten: 9 stored weights per output channel."""
    rng = np.random.default_rng(3)
    weight, scale = rng.normal(size=(3, 2, 3, 3)), rng.normal(size=(3, 1, 1))
    nodes = (
        nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        conv(weight, bias=np.array([1.0, 2.0, 3.0])),
        nir.Scale(scale),
        nir.Flatten({"input": np.array([3, 2, 3])}, 0, -1),
        ifs(18),
    )
    network = line(tmp_path, (2, 8, 10), *nodes)
    image = rng.normal(size=(2, 8, 10))
    pooled = image.reshape(2, 4, 2, 5, 2).sum((2, 4))
    expected = by_loops(pooled, weight, 1, SlidingWindow((3, 3))) * scale
    assert np.allclose(image.ravel() @ matrix(network), expected.ravel())
    assert np.allclose(network.population("n4").neuron.bias, np.repeat([1, 2, 3] * scale.ravel(), 6))
    assert np.unique(network.projections[0].weight.shared).size == weight.size


def test_two_convolutions_in_a_row_do_not_confuse_their_weights(tmp_path: Path) -> None:
    """1x1 kernels multiply: a b' and a' b are different weights even where the indices agree."""
    first, second = np.array([2.0, 3.0]).reshape(2, 1, 1, 1), np.array([5.0, 7.0]).reshape(1, 2, 1, 1)
    network = line(tmp_path, (1, 2, 2), conv(first), conv(second), ifs(1, 2, 2))
    assert np.array_equal(matrix(network), np.eye(4) * (2 * 5 + 3 * 7))
    assert np.unique(network.projections[0].weight.shared).size == 1


SOME = np.ones((2, 1, 3, 3))
ONES2 = np.array([1, 1])
BAD = [
    ((1, 5, 5), (conv(np.ones((2, 3, 3))), ifs(2, 3, 3)),
     "weight has shape (2, 3, 3); a Conv2d takes (outputs, inputs / groups, rows, columns)"),
    ((1, 5, 5), (conv(np.ones((3, 1, 3, 3)), groups=2), ifs(3, 3, 3)),
     "has 3 output channels in 2 groups; choose groups that divide them"),
    ((5, 5), (conv(SOME), ifs(2, 3, 3)), "is fed values of shape (5, 5); a Conv2d takes (channels, rows, columns)"),
    ((2, 5, 5), (conv(SOME), ifs(2, 3, 3)), "takes 1 channels, it is fed 2; correct the shapes"),
    ((1, 5, 5), (conv(SOME, padding="same", stride=2), ifs(2, 3, 3)),
     "padding is 'same' at stride (2, 2); 'same' is for stride 1, give numbers"),
    ((1, 5, 5), (conv(SOME, padding=-1), ifs(2, 3, 3)),
     "has a kernel, stride or dilation below 1, or a padding below 0; correct the Conv2d"),
    ((1, 2, 5), (conv(SOME), ifs(2, 3, 3)),
     "a kernel of (3, 3) does not fit into (2, 5) with this padding; correct the Conv2d"),
    ((1, 5, 5), (conv(SOME, stride=np.array([1, 1, 1])), ifs(2, 3, 3)),
     "stride has 3 values; give one, or one an axis"),
    ((1, 5, 5), (conv(SOME, groups=np.array([1, 1])), ifs(2, 3, 3)), "groups has 2 values; give one"),
    ((25,), (nir.AvgPool2d(ONES2, ONES2, ONES2 * 0), ifs(25)),
     "is fed values of shape (25,); a AvgPool2d takes (channels, rows, columns)"),
    ((24,), (conv(SOME, input_shape=(5, 5)), ifs(2, 3, 3)), "takes 25 values, 'in' gives it 24; correct the shapes"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "nodes", "text"), BAD, ids=[text[:40] for *_, text in BAD])
def test_bad_planes_are_refused(shape: tuple[int, ...], nodes: Any, text: str, tmp_path: Path) -> None:
    with fails(ne.NetworkError, f"{tmp_path / 'n.nir'}: node 'n0': {text}"):
        line(tmp_path, shape, *nodes)


def test_a_padding_that_is_no_word(tmp_path: Path) -> None:
    node = conv(SOME, padding="same")
    node.padding = "wide"
    text = f"{tmp_path / 'n.nir'}: node 'n0': padding is 'wide'; give numbers, 'same' or 'valid'"
    from neuroemu.base.errors import NetworkError
    from neuroemu.nir.convolution import plane_map

    with fails(NetworkError, text):
        plane_map("n0", node, (1, 5, 5), lambda n, t: NetworkError(f"{tmp_path / 'n.nir'}: node '{n}': {t}"))


# ---- shared weights by hand
def shared(entries: Any, weight: Any = (1.0, 1.0, 2.0)) -> ne.Network:
    lists = ne.Sparse([0, 1, 2], [0, 0, 1], weight, shared=entries)
    return ne.Network(
        [ne.Population("in", 3, ne.HostInput()), ne.Population("out", 2, ne.Firmware("if", {"threshold": 3}))],
        [ne.Projection("in", "out", lists)],
        outputs=["out"],
    )


def test_shared_entries_have_one_weight() -> None:
    chip = ne.load_chip("generic45")
    assert ne.compile(shared([0, 0, 1]), chip).usage[0]["synapse_words"] == 1
    text = "projection 'in->out': synapses that share entry 0 have different weights; give them one weight, or each its own entry of shared"
    with fails(ne.NetworkError, text):
        ne.compile(shared([0, 1, 0]), chip)
    text = "projection 'in->out': shared has 2 entries for 3 synapses; give one a synapse"
    with fails(ne.NetworkError, text):
        ne.compile(shared([0, 1]), chip)


# ---- on the chip
def test_a_sinabs_cnn_keeps_its_accuracy_in_eight_bits() -> None:
    data = vector("08")
    assert data.labels is not None
    network = data.network(**SINABS)
    reference = ne.simulate(network, data.input)
    assert data.wrong_bins(reference.spikes["7"]) == 0
    assert reference.accuracy(data.labels) == 0.734
    image = ne.compile(network, ne.load_chip("generic45"), weight_bits=8)
    assert image.usage[0]["synapse_words"] < 1200  # 74,400 synapses
    run = ne.run(image, data.input)
    assert len(run.spikes) > 100_000
    assert abs(run.accuracy(data.labels) - 0.734) <= 0.01
    exact = ne.run(ne.compile(network, ne.load_chip("generic45"), weight_bits=16), data.input)
    assert data.wrong_bins(exact.raster("7") != 0) < 0.005


def small(neurons: int, words: int) -> ne.Chip:
    chip = ne.load_chip("generic45")
    limits = "".join(
        f'{key} = {{ value = {value}, unit = "{key}", basis = "estimated", source = "choice" }}\n'
        for key, value in (("neurons", neurons), ("synapse_words", words))
    )
    return parse_chip(chip.text.replace("[core.programs]", limits + "[core.programs]", 1), "small.toml")


def test_feature_maps_are_split_and_the_kernel_is_stored_on_every_core(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    weight = rng.normal(0.5, 1, (4, 1, 3, 3))
    network = line(tmp_path, (1, 6, 6), conv(weight, padding="same"), ifs(4, 6, 6))
    whole = ne.compile(network, ne.load_chip("generic45"))
    cut = ne.compile(network, small(40, 9))
    assert whole.n_cores == 1
    assert cut.n_cores == 4
    assert whole.usage[0]["synapse_words"] == 9  # 36 weights of 16 bits
    assert all(held["synapse_words"] <= 9 for held in cut.usage.values())
    inputs = (rng.random((8, 3, 36)) < 0.4).astype(int)
    runs = [ne.run(image, inputs, engine=engine) for image in (whole, cut) for engine in ("python", "event")]
    assert len(runs[0].spikes) > 100
    assert all(run.spikes == runs[0].spikes for run in runs)
    assert runs[2].differs(runs[3]) is None


def test_a_core_too_small_for_one_neurons_kernel_is_refused(tmp_path: Path) -> None:
    network = line(tmp_path, (1, 6, 6), conv(np.arange(1.0, 10).reshape(1, 1, 3, 3), padding="same"), ifs(1, 6, 6))
    assert ne.compile(network, small(40, 3)).usage[0]["synapse_words"] == 3
    text = (
        "small.toml: neuron 1 of population 'n1' has a fan-in of 6 synapses = 2 synapse words on one core, generic45 has 1 (choice); "
        "its first 4 fit, and a neuron split over cores would sum otherwise"
    )
    with fails(ne.CapacityError, text):
        ne.compile(network, small(40, 1))


def test_an_image_with_kernels_saves_and_loads(tmp_path: Path) -> None:
    network = line(tmp_path, (1, 6, 6), conv(SOME, padding="same"), ifs(2, 6, 6))
    image = ne.compile(network, ne.load_chip("generic45"))
    image.save(tmp_path / "a.image")
    assert ne.load_image(tmp_path / "a.image").usage == image.usage

"""Floats become the chip's integers: to nearest, on the chip's grids, with what is lost said at every node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fails import fails
from hypothesis import given
from hypothesis import strategies as st

import neuroemu as ne
from neuroemu.base.errors import NetworkError, UnsupportedError
from neuroemu.compiler.quantize import Quantized, quantize

CHIPS = {name: ne.load_chip(name) for name in ("generic45", "loihi1")}
GENERIC, LOIHI = CHIPS["generic45"], CHIPS["loihi1"]
UNIT = ne.Conventions(gain="unit")


def network(neuron: Any, weight: Any, conventions: ne.Conventions = UNIT) -> ne.Network:
    """A host into population 'a', of the weight's sizes."""
    weight = np.asarray(weight, float)
    n_in, n = weight.shape
    return ne.Network(
        [ne.Population("in", n_in, ne.HostInput()), ne.Population("a", n, neuron)],
        [ne.Projection("in", "a", weight, "p")],
        conventions=conventions,
    )


def stored(quantized: Quantized) -> list[int]:
    return [int(w) for w in quantized.projections["p"].weight]


def params(quantized: Quantized) -> dict[str, list[int]]:
    return {name: value.tolist() for name, value in quantized.populations["a"].params.items()}


@pytest.mark.parametrize(("chip", "most"), [("generic45", 16), ("loihi1", 9)])
def test_weight_bits_are_what_the_register_has_or_fewer(chip: str, most: int) -> None:
    net = network(ne.IF(1.0), [[1, -1]])
    for bits in (2, most):
        step = 1 << (most - bits)
        assert np.all(np.array(stored(quantize(net, CHIPS[chip], weight_bits=bits))) % step == 0)
    source = {"generic45": "choice", "loihi1": "davies2018"}[chip]
    for bits in (1, most + 1):
        with fails(
            UnsupportedError,
            f"cores/{chip}.toml: weights of {bits} bits were asked for, {chip} has 2 to {most} ({source}); "
            "choose weight_bits in that range",
        ):
            quantize(net, CHIPS[chip], weight_bits=bits)


@pytest.mark.parametrize("verbatim", [False, True])
def test_register_units_stay_within_the_weight_register(verbatim: bool) -> None:
    """Weights into firmware, and every weight of a verbatim network."""
    neuron = ne.IF(64.0) if verbatim else ne.Firmware("if", {"threshold": 64})
    assert stored(quantize(network(neuron, [[-256, 255]]), LOIHI, verbatim=verbatim)) == [-256, 255]
    for weights, bad in (([[-257, 0]], -257), ([[0, 256]], 256)):
        with fails(
            UnsupportedError,
            f"projection 'p': weight {bad} is outside -256..255, what loihi1 stores (davies2018); scale the weights down",
        ):
            quantize(network(neuron, weights), LOIHI, verbatim=verbatim)


VERBATIM: dict[str, tuple[Any, Any, bool, str]] = {
    "weight into firmware": (
        ne.Firmware("if", {"threshold": 1}), [[1, 0.5]], False,
        "projection 'p' into 'a', which takes register units: weight is 0.5, not an integer; round it, or do not pass it verbatim",
    ),
    "weight": (
        ne.IF(1.0), [[1, 2.5]], True,
        "projection 'p' into 'a', which takes register units: weight is 2.5, not an integer; round it, or do not pass it verbatim",
    ),
    "weight past 64 bits": (
        ne.IF(1.0), [[1, -1e30]], True,
        "projection 'p' into 'a', which takes register units: weight is -1e+30, not within 64 bits; rescale the network",
    ),
    "threshold": (
        ne.IF([1, 1.25]), [[1, 1]], True,
        "population 'a': threshold in register units is 1.25, not an integer; round it, or do not pass it verbatim",
    ),
    "bias past 64 bits": (
        ne.IF(1.0, bias=1e30), [[1, 1]], False,
        "population 'a': bias in register units is 3.2767e+34, not within 64 bits; rescale the network",
    ),
    "parameter in words": (
        ne.Firmware("if", {"threshold": ["1", "2"]}), [[1, 1]], False,
        "population 'a': threshold is not numeric; give integers",
    ),
    "ragged parameter": (
        ne.Firmware("if", {"threshold": [[1], [1, 2]]}), [[1, 1]], False,
        "population 'a': threshold is not an array of numbers; give integers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VERBATIM)
def test_what_is_no_integer_is_refused(name: str) -> None:
    neuron, weight, verbatim, text = VERBATIM[name]
    with fails(NetworkError, text):
        quantize(network(neuron, weight), GENERIC, verbatim=verbatim)


def test_a_dyadic_network_loses_nothing() -> None:
    got = quantize(network(ne.IF(1.0, bias=0.5, v_reset=-0.25), [[0.5, -0.25, 1, 0.125, 0]]), LOIHI)
    assert stored(got) == [64, -32, 128, 16, 0]
    assert params(got) == {"bias": [4096] * 5, "threshold": [8192] * 5, "reset": [-2048] * 5}
    (loss,) = got.losses
    assert loss.scale == 8192
    assert (loss.weight_rms, loss.weight_max, loss.zeroed, loss.threshold, loss.decay, loss.bias) == (0, 0, 0, 0, 0, 0)


def test_verbatim_keeps_the_scale_at_one() -> None:
    net = network(ne.LIF(1e-3, v_threshold=640.0, bias=3.0), [[7, -5]])
    got = quantize(net, LOIHI, verbatim=True)
    assert stored(got) == [7, -5]
    assert params(got) == {"bias": [3] * 2, "threshold": [640] * 2, "reset": [0] * 2, "decay_v": [410] * 2}
    assert got.losses[0].scale == 1
    assert got.losses[0].decay == pytest.approx(abs(410 / 4096 - 0.1) / 0.1)


@given(
    weights=st.lists(st.integers(-4000, 4000).map(lambda k: k / 1000), min_size=1, max_size=8).filter(
        lambda w: max(map(abs, w)) > 0.1
    ),
    threshold=st.floats(0.05, 4),
    bits=st.integers(2, 9),
    chip=st.sampled_from(list(CHIPS)),
)
def test_rounding_is_to_nearest_and_its_loss_is_told(
    weights: list[float], threshold: float, bits: int, chip: str
) -> None:
    width = {"generic45": 16, "loihi1": 9}[chip]
    unit, grid = {"generic45": (1, 1), "loihi1": (64, 64)}[chip]
    step = 1 << (width - bits)
    remembers = ne.Conventions(gain="unit", reset="subtract")  # a reset to zero lets weights be clipped
    got = quantize(network(ne.IF(threshold), [weights], remembers), CHIPS[chip], weight_bits=bits)
    (loss,) = got.losses
    exact, kept = np.array(weights), np.array(stored(got))
    assert np.all(kept % step == 0)
    assert np.abs(kept).max() <= ((1 << (bits - 1)) - 1) * step
    assert np.abs(kept).max() >= ((1 << (bits - 1)) - 1) // 2 * step, "the largest weight uses the register"
    error = kept * unit - exact * loss.scale
    assert np.abs(error).max() <= unit * step / 2 * (1 + 1e-6)
    level = params(got)["threshold"][0]
    assert level % grid == 0
    assert abs(level - threshold * loss.scale) <= grid / 2 * (1 + 1e-6)
    share = error / loss.scale
    some = exact != 0
    assert loss.weight_max == pytest.approx(np.max(np.abs(share[some] / exact[some])), rel=1e-9)
    assert loss.weight_rms == pytest.approx(np.sqrt(np.mean(share**2) / np.mean(exact**2)), rel=1e-9)
    assert loss.zeroed == np.count_nonzero((kept == 0) & (exact != 0))
    assert loss.threshold == pytest.approx(abs(level / loss.scale - threshold) / threshold, abs=1e-12)


@pytest.mark.parametrize(
    ("weights", "reset", "kept"),
    [
        ([[1e300, 1.0]], "subtract", [255, 0]),
        ([[1e300, 1.0]], "zero", [252, 240]),  # 1e300 fires its neuron, as 1.05 does
        ([[1e-310, 0.0]], "zero", [0, 0]),
    ],
)
def test_weights_at_the_ends_of_float_are_scaled_without_overflow(
    weights: list[list[float]], reset: Any, kept: list[int]
) -> None:
    got = quantize(network(ne.IF(1.0), weights, ne.Conventions(gain="unit", reset=reset)), LOIHI)
    assert stored(got) == kept
    assert got.losses[0].zeroed == kept.count(0) - weights[0].count(0)


def test_a_bias_moved_to_the_voltage_is_the_currents_steady_state() -> None:
    neuron = ne.CubaLIF(5e-4, 1e-3, v_threshold=1.0, bias=0.1)
    current = quantize(network(neuron, [[1, 0.5]]), GENERIC)
    voltage = quantize(network(neuron, [[1, 0.5]]), GENERIC, bias="voltage")
    scale = current.losses[0].scale
    assert voltage.losses[0].scale == scale
    assert params(current)["bias"] == params(voltage)["bias_u"] == [0, 0]
    assert params(current)["bias_u"] == [round(0.1 * scale)] * 2
    assert params(voltage)["bias"] == [round(0.1 / 0.2 * scale)] * 2  # i's decay is dt / tau_syn = 0.2


@pytest.mark.parametrize("bias", ["current", "voltage"])
def test_the_loss_of_a_bias_is_told_wherever_it_is(bias: Any) -> None:
    """On two-bit weights of 1 the scale is 2**14; a bias of a third of its unit is lost whole."""
    net = network(ne.CubaLI(1e-4, 1e-3, bias=0.3 / 2**14), [[1.0]])
    got = quantize(net, GENERIC, weight_bits=2, bias=bias)
    assert got.losses[0].scale == 2**14
    assert params(got)["bias"] == params(got)["bias_u"] == [0]
    assert got.losses[0].bias == 1
    assert got.notes == (
        f"population 'a': the bias{'_u' if bias == 'current' else ''} of neuron 0 became 0, below one register unit",
    )


def test_conventions_become_switches() -> None:
    net = network(ne.IF(1.0), [[1]], ne.Conventions(reset="subtract", reset_timing="next", spike_if=">="))
    assert quantize(net, GENERIC).populations["a"].switches == {"subtract": 1, "late": 1, "inclusive": 1}
    assert quantize(network(ne.LI(1e-3), [[1]]), GENERIC).populations["a"].switches == {}

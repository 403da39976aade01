"""What a network asks of its programs and of the chip is checked when it is compiled, before any run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import firmware
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import CapacityError, NetworkError, UnknownNameError, UnsupportedError
from neuroemu.base.shelf import folder
from neuroemu.chip.chip import parse_chip
from neuroemu.chip.width import Bits

GENERIC, LOIHI = ne.load_chip("generic45"), ne.load_chip("loihi1")
SOMA = ne.Firmware("if", {"threshold": 64})
RIVAL, CHATTY = firmware("rival"), firmware("chatty")
DEFERRED, PLAIN = firmware("deferred"), firmware("deferred_plain")
BOTH = {"fire": "v_learn", "spike": "v_send"}


def network(
    neuron: Any = SOMA, weight: Any = None, compete: Any = None, groups: Any = None, **projection: Any
) -> ne.Network:
    """A host of two neurons into three of population 'a' through projection 'p'."""
    return ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("a", 3, neuron, compete or {}, groups)],
        [ne.Projection("in", "a", np.ones((2, 3)) if weight is None else weight, "p", **projection)],
        outputs=["a"],
    )


def rivals(compete: Any = BOTH, groups: Any = None, program: str = RIVAL) -> ne.Network:
    return network(ne.Firmware(program, {"threshold": 9}), compete=compete, groups=groups)


def chatty(compete: Any = None, **params: Any) -> ne.Network:
    return network(
        ne.Firmware(CHATTY, {"threshold": 9, "decay": 1, "curve": np.zeros(16, int)} | params), compete=compete
    )


PROGRAMS: dict[str, tuple[ne.Network, str]] = {
    "nothing": (ne.Network(), "the network has no populations; add some"),
    "a rule as a neuron": (
        network(ne.Firmware(PLAIN)),
        f"population 'a': program '{PLAIN}' has no soma or has hooks of synapses; give a neuron program",
    ),
    "a neuron as a rule": (
        network(rule=RIVAL),
        f"projection 'p': program '{RIVAL}' has no hook of axons or synapses; give a rule program",
    ),
    "settle without rivals": (
        rivals({}),
        "population 'a': program 'rival' has a settle hook but nothing competes; give compete={flag: register}",
    ),
    "an unknown flag": (
        rivals(BOTH | {"error": "v_send"}),
        "population 'a': compete names flag 'error'; its program sets spike, fire",
    ),
    "the verdict of what does not compete": (
        rivals({"fire": "v_learn"}),
        "population 'a': settle of program 'rival' reads 'spike_any' but flag 'spike' does not compete; "
        "fire competes, add 'spike' to compete",
    ),
    "rivals on the host": (
        ne.Network([ne.Population("in", 2, ne.HostInput(), {"input": "v"})]),
        "population 'in' is a host input; the host has no winner unit, give no compete",
    ),
    "groups of nobody": (
        network(groups=[0, 0, 1]),
        "population 'a' has groups but nothing competes; give compete, or no groups",
    ),
    "a rule's parameter without a rule": (
        network(params={"rate": 1}),
        "projection 'p' has params but no rule that takes them; name the rule",
    ),
    "a modulator of nothing": (
        replace(network(), modulators=[ne.Modulator("a", 3)]),
        "modulator of population 'a' at tick 3: nothing there has a modulate hook; modulate a population whose program has one",
    ),
    "a modulator of the host": (
        replace(network(), modulators=[ne.Modulator("in", 0)]),
        "modulator of population 'in' at tick 0: nothing there has a modulate hook; modulate a population whose program has one",
    ),
    "groups for two": (rivals(groups=[0, 1]), "population 'a': 2 groups for 3 neurons; give one a neuron"),
    "groups in words": (rivals(groups=["x", "y", "y"]), "population 'a': groups is not numeric; give integers"),
    "half a group": (
        rivals(groups=[0, 0.5, 1]),
        "population 'a': groups is 0.5, not an integer; round it, or do not pass it verbatim",
    ),
    "no threshold": (
        network(ne.Firmware("if")),
        "population 'a': program 'if' needs parameter 'threshold'; it takes bias, threshold, reset",
    ),
    "two thresholds": (
        network(ne.Firmware("if", {"threshold": [1, 2]})),
        "population 'a': parameter 'threshold' has 2 values for 3 neurons; give one, or one a neuron",
    ),
    "below the program's range": (
        chatty(threshold=[5, -1, 100001]),
        "population 'a': threshold is -1, its program takes 0..100000; give one of these, or rescale the network",
    ),
    "above the program's range": (
        chatty(decay=4097),
        "population 'a': decay is 4097, its program takes 0..4096; give one of these, or rescale the network",
    ),
    "past 32 bits": (
        network(ne.Firmware("if", {"threshold": 2**31})),
        "population 'a': threshold is 2147483648, its program takes -2147483648..2147483647; give one of these, or rescale the network",
    ),
    "past 64 bits": (
        network(ne.Firmware("if", {"threshold": 2**63})),
        "population 'a': threshold is 9.22337e+18, not within 64 bits; rescale the network",
    ),
    "no number": (
        network(ne.Firmware("if", {"threshold": np.nan})),
        "population 'a': threshold is nan, not within 64 bits; rescale the network",
    ),
    "parameter in words": (
        network(ne.Firmware("if", {"threshold": "high"})),
        "population 'a': threshold is not numeric; give integers",
    ),
    "ragged parameter": (
        network(ne.Firmware("if", {"threshold": [[1], [2, 3]]})),
        "population 'a': threshold is not an array of numbers; give integers",
    ),
    "a parameter in parts": (
        network(ne.Firmware("if", {"threshold": [4, 4.25, 4]})),
        "population 'a': threshold is 4.25, not an integer; round it, or do not pass it verbatim",
    ),
    "a rule's parameter in parts": (
        network(rule=PLAIN, params={"rate": 1.5}),
        "projection 'p': rate is 1.5, not an integer; round it, or do not pass it verbatim",
    ),
    "two rates": (
        network(rule=PLAIN, params={"rate": [1, 2]}),
        "projection 'p': parameter 'rate' has 2 values for 1 neurons; give one, or one a neuron",
    ),
    "a short table": (
        chatty(curve=[0] * 15),
        "population 'a': table 'curve' has shape (15,), its program takes 16 entries; give that many",
    ),
    "a table of two axes": (
        chatty(curve=np.zeros((4, 4), int)),
        "population 'a': table 'curve' has shape (4, 4), its program takes 16 entries; give that many",
    ),
    "a steep table": (
        chatty(curve=np.arange(36, 52)),
        "population 'a': table 'curve' holds 36..51, its program takes -50..50; rescale it",
    ),
    "a channel never sent on": (
        network().add(ne.Projection("a", "a", np.ones((3, 3)), "r", routes={"error": [("drive", "weight")]})),
        "projection 'r': population 'a' never sends on channel 'error'; it sends on spike",
    ),
    "a sender that is silent": (
        network(ne.Firmware("li", {"decay_v": 1})).add(ne.Projection("a", "a", np.ones((3, 3)), "r")),
        "projection 'r': population 'a' never sends on channel 'spike'; it sends on none",
    ),
    "a mirror of other synapses": (
        network().add(ne.Projection("a", "a", np.ones((3, 3)), "r", mirror="p")),
        "projection 'r' mirrors 'p' but its synapses are not the same, turned round and undelayed; give the transposed weight",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_network_does_not_suit_its_programs(name: str) -> None:
    wrong, text = PROGRAMS[name]
    with fails(NetworkError, text):
        ne.compile(wrong, GENERIC)


UNKNOWN = {
    "register that competes": (
        rivals({"fire": "v_lern", "spike": "v_send"}),
        "no state, keep or weight of population 'a' named 'v_lern'; did you mean 'v_learn'? there are: v_learn, v_send, wins",
    ),
    "sum that competes": (
        chatty(compete={"spike": "seen"}),
        "no state, keep or weight of population 'a' named 'seen'; did you mean 'spent'? there are: target, u, v, n, spent, gain",
    ),
    "parameter": (
        network(ne.Firmware("if", {"treshold": 1})),
        "no parameter of program 'if' (population 'a') named 'treshold'; did you mean 'threshold'? "
        "there are: bias, threshold, reset",
    ),
    "port": (
        network(routes={"input": [("dirve", "weight")]}),
        "no port of population 'a' (projection 'p') named 'dirve'; did you mean 'drive'? there are: drive",
    ),
    "register of the target": (
        network(rule=DEFERRED, params={"rate": 1}),
        "no register of population 'a' (rule of projection 'p') named 'n'; there are: v",
    ),
    "mirror of what comes later": (
        network(mirror="r"),
        "no earlier projection (mirrored by 'p') named 'r'; there are: none",
    ),
    "probe": (
        ne.Network([ne.Population("a", 3, SOMA)], probes=[("a", "u")]),
        "no register of population 'a' (probe) named 'u'; there are: v",
    ),
    "probe of the host": (
        ne.Network([ne.Population("in", 3, ne.HostInput())], probes=[("in", "v")]),
        "no register of population 'in' (probe) named 'v'; there are: none",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_name_in_a_network_is_refused(name: str) -> None:
    wrong, text = UNKNOWN[name]
    with fails(UnknownNameError, text):
        ne.compile(wrong, GENERIC)


SILICON: dict[str, tuple[ne.Network, str]] = {
    "program": (
        network(ne.Firmware("threshold", {"threshold": 9})),
        "population 'a': program 'threshold' is not in loihi1, which runs lif, cuba_lif, if, li, cuba_li (davies2018); "
        "use one of these, or a chip such as generic45",
    ),
    "reset by subtraction": (
        network(ne.Firmware("if", {"threshold": 64}, {"subtract": 1})),
        "population 'a': reset by subtraction is not in loihi1 (davies2018); use reset='zero', "
        "or a chip that has it, such as generic45",
    ),
    "late reset": (
        network(ne.Firmware("if", {"threshold": 64}, {"late": 1})),
        "population 'a': reset in the tick after the spike is not in loihi1 (davies2018); use reset_timing='now', "
        "or a chip that has it, such as generic45",
    ),
    "spike at threshold": (
        network(ne.Firmware("if", {"threshold": 64}, {"inclusive": 1})),
        "population 'a': spike at v >= threshold is not in loihi1 (davies2018); use spike_if='>', "
        "or a chip that has it, such as generic45",
    ),
    "threshold between steps": (
        network(ne.Firmware("if", {"threshold": 65})),
        "population 'a': threshold is 65, loihi1 takes 0..8388544 in steps of 64 (lava: 17-bit mantissa shifted left by 6); "
        "change the network, or choose a chip such as generic45",
    ),
    "threshold past the mantissa": (
        network(ne.Firmware("if", {"threshold": 8388608})),
        "population 'a': threshold is 8388608, loihi1 takes 0..8388544 in steps of 64 (lava: 17-bit mantissa shifted left by 6); "
        "change the network, or choose a chip such as generic45",
    ),
    "bias of the current": (
        network(ne.Firmware("cuba_lif", {"threshold": 64, "decay_u": 1, "decay_v": 1, "bias_u": [0, 0, 3]})),
        "population 'a': bias_u is 3, loihi1 takes 0..0 (davies2018: the bias is added to the voltage only); "
        "move it with bias='voltage', or choose a chip such as generic45",
    ),
    "a route by payload": (
        network(routes={"input": [("drive", "weight*payload")]}),
        "projection 'p': route multiplies by the payload, no source states a graded payload for loihi1; "
        "route the weight alone, or choose a chip that has all this needs (atlas, generic45, loihi2), "
        "or vouch for the chip with assume='graded_payload'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SILICON)
def test_chip_lacks_what_the_network_asks_for(name: str) -> None:
    wrong, text = SILICON[name]
    with fails(UnsupportedError, text):
        ne.compile(wrong, LOIHI)
    ne.compile(wrong, GENERIC)  # the way out that the text names is one


def test_threshold_at_the_chips_limit_passes() -> None:
    assert (
        ne.compile(network(ne.Firmware("if", {"threshold": 8388544})), LOIHI).populations[1].params["threshold"]
        == 8388544
    )


def test_parameters_at_their_programs_limits_pass() -> None:
    ne.compile(chatty(threshold=[0, 1, 100000], decay=4096, curve=[-50, 50] * 8), GENERIC)
    ne.compile(network(ne.Firmware("if", {"threshold": 2**31 - 1, "reset": -(2**31)})), GENERIC)


@pytest.mark.parametrize("align", [True, False])
def test_delays_reach_the_chips_limit_and_no_further(align: bool) -> None:
    """'skip' goes past one population: balancing costs it one of the 62 ticks."""

    def skipping(delay: int) -> ne.Network:
        layer = network().add(ne.Population("b", 3, SOMA))
        return layer.add(
            ne.Projection("a", "b", np.eye(3), "hop"), ne.Projection("in", "b", np.ones((2, 3)), "skip", delay=delay)
        )

    most = 61 if align else 62
    image = ne.compile(skipping(most), LOIHI, align=align)
    assert max(part.delay for p in image.projections for part in p.parts) == 62
    with fails(
        CapacityError,
        f"cores/loihi1.toml: projection 'skip' needs a delay of 63 ticks ({int(align)} of them to balance paths), "
        "loihi1 has 62 (davies2018); "
        + ("give it delays of at most 61, or compile with align=False" if align else "give it delays of at most 62"),
    ):
        ne.compile(skipping(most + 1), LOIHI, align=align)


def test_a_chip_without_delays_balances_no_paths() -> None:
    odin = ne.load_chip("odin")
    soma = ne.Firmware("odin", {"threshold": 7})
    exc: Any = {"routes": {"spike": [("exc", "weight")]}}
    host: Any = {"routes": {"input": [("exc", "weight")]}}
    layers = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("a", 3, soma), ne.Population("b", 3, soma)],
        [
            ne.Projection("in", "a", np.ones((2, 3)), **host),
            ne.Projection("a", "b", np.eye(3), **exc),
            ne.Projection("in", "b", np.ones((2, 3)), "skip", **host),
        ],
    )
    with fails(
        CapacityError,
        "cores/odin.toml: projection 'skip' needs a delay of 1 ticks (1 of them to balance paths), odin has 0 (odin); "
        "balance its paths with populations, or compile with align=False",
    ):
        ne.compile(layers, odin)
    ne.compile(layers, odin, align=False)


def test_delay_of_a_zero_weight_counts_only_where_a_rule_runs() -> None:
    zero = np.array([[1, 0, 1], [1, 1, 1]])
    late = np.where(zero == 0, 63, 0)
    assert ne.compile(network(weight=zero, delay=late), GENERIC).projections[0].parts[0].post.size == 5
    with fails(
        CapacityError,
        "cores/generic45.toml: projection 'p' needs a delay of 63 ticks (0 of them to balance paths), generic45 has 62 (choice); "
        "give it delays of at most 62",
    ):
        ne.compile(network(weight=zero, delay=late, rule=PLAIN, params={"rate": 1}), GENERIC)


def test_a_ticks_sum_stays_within_64_bits() -> None:
    """Weights times payloads of 32 bits, shifted by 16: a sum of weights of 2**16 is where 63 bits end."""
    text = (
        (folder("cores") / "generic45.toml")
        .read_text()
        .replace("weight_shift = { value = 0", "weight_shift = { value = 16")
    )
    chip = parse_chip(text, "shifted.toml")
    graded = {"input": [("drive", "weight*payload")]}
    largest = np.array([[-32768, 1, 1], [32767, 1, 1]])
    ne.compile(network(weight=largest, routes=graded), chip)
    with fails(
        CapacityError,
        f"population 'a': a tick's sum at port 'drive' can reach {2**63}, 64 bits hold {2**63 - 1}; "
        "divide its weights by 2, or give it fewer sources with graded payloads",
    ):
        ne.compile(network(weight=np.full((2, 3), -32768), routes=graded), chip)


@pytest.mark.parametrize("groups", [[100, 200, 200], [-9, -2, -2], [3, 4, 4]])
def test_group_numbers_may_be_any(groups: list[int]) -> None:
    """Only which neurons share a number matters: to where a population may be cut, and to the winner unit."""
    assert ne.compile(rivals(groups=groups), GENERIC).digest == ne.compile(rivals(groups=[0, 1, 1]), GENERIC).digest
    cut = ne.compile(rivals(groups=groups), GENERIC, placement={"a": [(0, 1), (1, 2)]})
    assert [(s.core, s.low, s.high) for s in cut.populations[1].slices] == [(0, 0, 1), (1, 1, 3)]


SETTLE = """
from neuroemu.isa import Input, Param, Port, State
def soma(v: State(20), fire: State(8), drive: Port, threshold: Param(1, 100)):
    v = v + drive
    spike = 1 if v >= threshold else 0
    return v, spike
def settle(v: State(20), fire_won: Input, spike_any: Input):
    v = 0 if spike_any and fire_won == 0 else v
    return v
"""


def test_a_register_is_no_flag(tmp_path: Path) -> None:
    """A state called like a flag gives settle no verdict: only what competes does."""
    (tmp_path / "mine.py").write_text(SETTLE)
    with fails(
        NetworkError,
        "population 'a': settle of program 'mine' reads 'fire_won' but flag 'fire' does not compete; "
        "spike competes, add 'fire' to compete",
    ):
        ne.compile(rivals({"spike": "v"}, program=str(tmp_path / "mine.py")), GENERIC)
    (tmp_path / "mine.py").write_text(SETTLE.replace("fire_won", "spike_won"))
    ne.compile(rivals({"spike": "v"}, program=str(tmp_path / "mine.py")), GENERIC)


def test_a_registers_name_counts_for_neurons_only() -> None:
    """'u' of a neuron has 24 bits on loihi1; the trace of an axon has 7, whatever it is called."""
    assert LOIHI.bits("state", "u") == LOIHI.bits("keep", "u") == Bits(24, 1)
    assert LOIHI.bits("pre", "u") == LOIHI.bits("pre", "x") == Bits(7, 0)
    assert LOIHI.bits("weight", "u") == Bits(9, 0)
    assert LOIHI.bits("post_state", "v") == Bits(7, 0)
    assert LOIHI.bits("state", "w") is None
    assert GENERIC.bits("state", "w") == Bits(32, 0)

"""Shipped learning rules on chips they do not fit: each refusal names the line, the register or value, and the bound."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base.shelf import find_program
from neuroemu.chip.chip import Chip, parse_chip

ATLAS = ne.load_chip("atlas")
PAST = "past 64 bits on atlas; narrow an operand with fit or clamp, or shift it first"


def deep() -> ne.Network:
    """A chain of two layers."""
    lif = ne.LIF(1e-2)
    return ne.Network(
        [ne.Population("in", 4, ne.HostInput()), ne.Population("h", 3, lif), ne.Population("out", 2, lif)],
        [ne.Projection("in", "h", np.zeros((4, 3)), "p"), ne.Projection("h", "out", np.zeros((3, 2)), "q")],
        outputs=["out"],
    )


def shallow() -> ne.Network:
    """One layer."""
    return ne.Network(
        [ne.Population("in", 4, ne.HostInput()), ne.Population("out", 3, ne.LIF(1e-2))],
        [ne.Projection("in", "out", np.zeros((4, 3)), "p")],
        outputs=["out"],
    )


WIRED: dict[str, Callable[[], ne.Network]] = {
    "sfdfa": lambda: ne.wire(deep(), "sfdfa"),
    "spikegrad": lambda: ne.wire(deep(), "spikegrad"),
    "spikegrad momentum": lambda: ne.wire(deep(), "spikegrad", momentum=4),
    "stdp": lambda: ne.wire(shallow(), "stdp"),
    "wta_stdp": lambda: ne.wire(shallow(), "wta_stdp"),
}


def edited(register: str, bits: int | None) -> Chip:
    """Atlas with another width of a register, or without it."""
    line = rf"^({register} +=) {{ bits = \d+(.*)\n"
    text, n = re.subn(line, "" if bits is None else rf"\1 {{ bits = {bits}\2\n", ATLAS.text, flags=re.MULTILINE)
    assert n == 1
    return parse_chip(text, ATLAS.path)


def place(path: Path, within: str, mark: str) -> str:
    """path:line:col of the first ``mark`` after ``within``."""
    text = path.read_text()
    at = text.index(mark, text.index(within))
    return f"{path}:{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}"


def rule_file(name: str) -> Path:
    return find_program(name, rule=True)[0]


# rule, what is edited of atlas, where in the rule's file (after this text, this), what is said there
MISFITS: dict[str, tuple[str, tuple[str, int | None], tuple[str, str], str]] = {
    "a state of 16 bits": (
        "sfdfa", ("state", 16), ("class hidden", "m: State(24)"), "'m' asks for 24 bits, atlas has 16; ask for 16 or fewer",
    ),
    "a trace of 12 bits": (
        "spikegrad", ("pre", 12), ("class synapse", "sent: Pre(16)"), "'sent' asks for 16 bits, atlas has 12; ask for 12 or fewer",
    ),
    "a kept trace of 16 bits": (
        "spikegrad momentum", ("keep", 16), ("class synapse", "trace: Keep(32"),
        "'trace' asks for 32 bits, atlas has 16; ask for 16 or fewer",
    ),
    "no flag at the axon": (
        "wta_stdp", ("pre_keep", None), ("class synapse", "flag: PreKeep"),
        "atlas has no register 'flag'; add pre_keep to [core.registers] of its datasheet, or choose a chip that has it, such as generic45",
    ),
    "no trace of the neuron": (
        "stdp", ("post_state", None), ("class synapse", "y: PostState"),
        "atlas has no register 'y'; add post_state to [core.registers] of its datasheet, or choose a chip that has it, such as generic45",
    ),
    "a port of 64 bits": (
        "sfdfa", ("port", 64), ("class hidden", "shift_left(drive"),
        f"`shift_left(drive, 4)` can reach -147573952589676412928..147573952589676412912, {PAST}",
    ),
    "a voltage of 64 bits": (
        "spikegrad", ("v", 64), ("class hidden", "v + drive"),
        f"`v + drive` can reach -9223372039002259456..9223372039002259454, {PAST}",
    ),
    "a trace of 64 bits": (
        "stdp", ("pre", 64), ("def decayed", "shift_left(x, k)"),
        f"`shift_left(x, k)` can reach -37778931862957161709568..37778931862957161705472, {PAST}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_a_shipped_rule_that_does_not_fit_says_register_bound_and_line(name: str) -> None:
    rule, change, (within, mark), text = MISFITS[name]
    ne.compile(WIRED[rule](), ATLAS, align=False)  # what is edited is what it does not fit
    with fails(ne.FirmwareError, f"{place(rule_file(rule.split()[0]), within, mark)}: {text}"):
        ne.compile(WIRED[rule](), edited(*change), align=False)


def test_weights_too_narrow_for_a_rule_on_its_own() -> None:
    """`neuroemu firmware check` says the same of a file, before any network."""
    path = rule_file("sfdfa")
    assert ne.check_file(str(path), ATLAS, {})
    text = (
        f"{place(path, 'class hidden', 'nbar: Weight(16')}: 'nbar' asks for 16 bits, atlas has 12; ask for 12 or fewer"
    )
    with fails(ne.FirmwareError, text):
        ne.check_file(str(path), edited("weight", 12), {})


# rule, the text that is edited in a copy and what it becomes, where the refusal stands, what it says
SPOILED: dict[str, tuple[str, tuple[str, str], tuple[str, str], str]] = {
    "an index that is not clamped": (
        "wta_stdp", ("clamp(shift_floor(w, 3), 0, 31)", "shift_floor(w, 3)"), ("class synapse", "rise[level]"),
        "index of 'rise' can be -4096..4095, the table has entries 0..31; clamp the index",
    ),
    "a sum that could leave 64 bits": (
        "spikegrad", ("moved - change", "moved - shift_left(change, 18)"), ("def end_synapse", "return trace"),
        "sum 'moved' can grow by -281474976710656..281466386776064 at a time, past 64 bits over 65536 calls; "
        "shift or clamp what is added",
    ),
    "a trace that asks for more than its register": (
        "stdp", ("x: Pre,", "x: Pre(33),"), ("class synapse", "x: Pre(33)"),
        "'x' asks for 33 bits, atlas has 32; ask for 32 or fewer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_an_edited_rule_is_refused_at_the_edit(name: str, tmp_path: Path) -> None:
    rule, (old, new), (within, mark), text = SPOILED[name]
    source = rule_file(rule).read_text()
    assert old in source
    path = tmp_path / f"{rule}.py"
    path.write_text(source.replace(old, new))
    assert ne.check_file(str(rule_file(rule)), ATLAS, {})
    with fails(ne.FirmwareError, f"{place(path, within, mark)}: {text}"):
        ne.check_file(str(path), ATLAS, {})

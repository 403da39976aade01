"""What the reader makes of files it accepts; and that no file is ever imported or run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fails import fails

from neuroemu.base.errors import FirmwareError
from neuroemu.chip.chip import load_chip
from neuroemu.language.check import check_program
from neuroemu.language.grammar import MAX_DEPTH
from neuroemu.language.language import Argument, Register
from neuroemu.language.program import helper_source, is_rule, load_program, parse_program, python_hooks
from neuroemu.language.reader import read_programs

ROOT = Path(__file__).parents[2]

NEURON = '''"""A soma.

    v = v + drive
"""
from __future__ import annotations
from neuroemu.isa import ERROR, Key, Param, Port, State, Width, fit, uniform

STEP = 2 * 8 - 1
"""Said again."""
LOW = -STEP

def doubled(x):
    """Twice x."""
    y = x + x
    return y

def soma(v: State, n: Keep(STEP, init=LOW), drive: Port, key: Key, threshold: Param(1, 900), tick: Input, v_width: Width):
    """One tick."""
    v = fit(doubled(v) + drive, v_width)
    v += uniform(key, 0, 3)
    spike = 1 if v > threshold and not tick == 5 else 0
    error = -1 if n else ERROR
    error_payload = v
    return v, n, spike, error, error_payload

def end(v: State(12, init=3), n: Keep, total: Sum):
    total -= v
    return total
'''


def test_a_neuron_file_is_one_program() -> None:
    (name, program), *more = read_programs(NEURON, "p.py", "p").items()
    assert (name, more) == ("p", [])
    assert (program.name, program.path) == ("p", "p.py")
    assert program.doc == "A soma.\n\nv = v + drive"
    assert list(program.hooks) == ["soma", "end"]
    assert program.hooks["soma"].returns == ("v", "n", "spike", "error", "error_payload")
    assert list(program.helpers) == ["doubled"]
    assert program.constants == {"STEP": 15, "LOW": -15}
    assert not program.online
    assert program.gate == {}


def test_registers_and_arguments_hold_what_all_hooks_say() -> None:
    program = read_programs(NEURON, "p.py", "p")["p"]
    assert program.registers == {
        "v": Register("v", "neuron", "state", 12, 3, (26, 9)),
        "n": Register("n", "neuron", "keep", 15, -15, (17, 20)),
        "total": Register("total", "neuron", "sum", None, 0, (26, 40)),
    }
    assert program.arguments["threshold"] == Argument("threshold", "param", (1, 900), None, (17, 68))
    assert list(program.arguments) == ["v", "n", "drive", "threshold", "v_width", "total"]
    assert program.of_kind("port", "width") == ("drive", "v_width")


def test_a_start_value_in_one_hook_and_bits_in_another_are_both_kept() -> None:
    source = "def soma(v: State(init=7)):\n    return v\ndef end(v: State(9)):\n    return v\n"
    register = read_programs(source, "p.py", "p")["p"].registers["v"]
    assert (register.bits, register.init, register.place) == (9, 7, (3, 9))


def test_what_a_program_sends() -> None:
    program = read_programs(NEURON, "p.py", "p")["p"]
    assert program.is_neuron
    assert not is_rule(program)
    assert program.channels == ("spike", "error")
    assert program.payloads == ("error",)
    assert program.fires == "spike"
    learner = "def soma(v: State):\n    spike = 1\n    fire = 0\n    return v, spike, fire\n"
    assert read_programs(learner, "p.py", "p")["p"].fires == "fire"
    silent = read_programs("def soma(v: State):\n    spike = 1\n    return v\n", "p.py", "p")["p"]
    assert (silent.channels, silent.fires) == ((), None)


RULE = """
from neuroemu.isa import Pre
HALF = 5

def trace(x):
    return x + HALF

def wire(network, projections, output, *, rate=HALF, **options):
    import os
    with network.phase("learn") as phase:
        yield [os.system(p) for p in projections]

class hidden:
    "Learns."
    GATE = {"fire_synapse": ("x", "v", "e"), "commit_synapse": "s"}
    STEP = HALF + 1
    def tick_pre(x: Pre(16), tick: Input):
        x = trace(x) + STEP
        return x
    def fire_synapse(e: State(8), x: Pre(16), v: Post(16), s: Sum):
        s = s + e
        return e, s
    def tick_post(y: PostState(8), fired: Input):
        y = fired
        return y
    def commit_synapse(w: Weight(8), s: Sum):
        w = s
        return w

class output:
    ONLINE = True
    STEP = 9
    def arrive_synapse(w: Weight, flag: PreKeep(2)):
        w = w + STEP + flag
        return w
"""


def test_a_rule_file_holds_a_program_for_each_class() -> None:
    programs = read_programs(RULE, "r.py", "r")
    assert list(programs) == ["r.hidden", "r.output"]
    hidden, output = programs.values()
    assert hidden.gate == {"fire_synapse": ("x", "v", "e"), "commit_synapse": ("s",)}
    assert (hidden.online, output.online) == (False, True)
    assert (hidden.doc, output.doc) == ("Learns.", "")
    assert hidden.constants == {"HALF": 5, "STEP": 6}
    assert output.constants == {"HALF": 5, "STEP": 9}
    assert list(hidden.helpers) == list(output.helpers) == ["trace"]
    levels = {name: register.level for name, register in hidden.registers.items()}
    assert levels == {"x": "axon", "e": "synapse", "s": "synapse", "y": "post", "w": "synapse"}
    assert [hidden.level_of(name) for name in ("x", "v", "e", "HALF")] == ["axon", "soma", "synapse", None]
    assert output.registers["flag"].level == "axon"
    assert all(is_rule(program) and not program.is_neuron for program in programs.values())
    assert (hidden.channels, hidden.payloads, hidden.fires) == ((), (), None)


ACCEPTED = [
    ("v = -9223372036854775807 - 1", -(1 << 63)),
    ("v = 1 if 0 < v <= 5 != n else 0", 1),
    ("v = 7 if not (v > 1 and w) or n else -7", -7),
    ("v = 3 if (v > w if n else v < w) else 4", 4),
    ("v = t[1] + t[clamp(v, 0, 3)]", 50),
    ("v -= w; v *= 2; v += SPIKE + ERROR", 1),
    ("v = min(v, w, 3, n) + max(v, w) + abs(-w)", 10),
    ("_ = 1; v = v + _", 6),
    ("v = (1 if v else 2) if (w if n else 0) else 3", 3),
]


@pytest.mark.parametrize(("statement", "result"), ACCEPTED, ids=[statement for statement, _ in ACCEPTED])
def test_statement_is_accepted_and_means_what_python_says(statement: str, result: int) -> None:
    source = f"def soma(v: State(8), w: State(8), n: Param(0, 1), t: Table(4, 0, 50)):\n    {statement}\n    return v\n"
    program = parse_program(source, "p.py", "p")
    check_program(program, load_chip("generic45"))
    assert python_hooks(program)["soma"](5, 5, 0, [10, 20, 30, 30]) == (result,)


def test_the_deepest_accepted_nesting_goes_through_every_stage() -> None:
    deep = MAX_DEPTH - 3
    program = parse_program(
        f"def soma(v: State(8)):\n    v = {'(1 - ' * deep}v{')' * deep}\n    return v\n", "p.py", "p"
    )
    proof = check_program(program, load_chip("generic45"))
    assert proof.hooks["soma"].operations["add"] == deep
    assert python_hooks(program)["soma"](9) == (1 - 9 if deep % 2 else 9,)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("firmware/*/*.py")) + sorted(ROOT.glob("tests/firmware/*.py")), ids=str
)
def test_every_shipped_program_is_accepted(path: Path) -> None:
    programs = read_programs(path.read_text(), path.name, path.stem)
    assert programs
    for program in programs.values():
        assert program.is_neuron != is_rule(program)
        assert program.doc or path.parent.name == "rules"


# ---- nothing runs
HARM = "open('{}', 'w')"
SOMA = "def soma(v: State):\n    return v\n"
HARMFUL = [
    ("{harm}\n" + SOMA, "1:1: statement outside a hook; only functions, classes, integer constants, GATE and ONLINE may stand here"),
    ("K = {harm}\n" + SOMA, "1:5: not an integer constant; write an integer, or + - * of integers"),
    ("def soma(v: {harm}):\n    return v\n", "1:10: 'open' is not a role; use one of {roles}"),
    ("def soma(v: State({harm})):\n    return v\n", "1:19: not an integer constant; write an integer, or + - * of integers"),
    ("def soma(v: State) -> {harm}:\n    return v\n", "1:23: 'soma' states a type; only the arguments of a hook are annotated"),
    ("def f(x) -> {harm}:\n    return x\n" + SOMA, "1:13: 'f' states a type; only the arguments of a hook are annotated"),
    ("def f(x={harm}):\n    return x\n" + SOMA, "1:1: 'f' has default, keyword or star arguments; use plain arguments"),
    ("@{harm}\n" + SOMA, "2:1: 'soma' has a decorator; a program is plain functions"),
    ("class a({harm}):\n    K = 3\n", "1:1: class 'a' has a base or decorator; a program is a plain class of hooks"),
    ("ONLINE = {harm}\n" + SOMA, "1:10: ONLINE is not True or False; write ONLINE = True"),
    ("GATE = {harm}\n" + SOMA, "1:8: GATE is not a dictionary; write GATE = {{'fire_synapse': 'x'}}"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), HARMFUL, ids=[source.partition("\n")[0] for source, _ in HARMFUL])
def test_a_file_with_side_effects_is_refused_and_nothing_runs(source: str, text: str, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "harmful.py"
    path.write_text(source.format(harm=HARM.format(trace)))
    roles = "State, Keep, Weight, Sum, Pre, PreKeep, Post, PostState, Param, Switch, Table, Width, Port, Input, Key"
    with fails(FirmwareError, f"{path}:{text.format(roles=roles)}"):
        load_program(path)
    assert not trace.exists()
    assert "harmful" not in sys.modules


def test_the_host_function_of_a_rule_is_not_run_by_reading(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "ruled.py"
    harm = HARM.format(trace)
    path.write_text(f"def wire(network: {harm}) -> {harm}:\n    {harm}\ndef f(x):\n    return x\n{SOMA}")
    program = load_program(path)
    check_program(program, load_chip("generic45"))
    assert python_hooks(program)["soma"](4) == (4,)
    assert list(program.helpers) == ["f"]
    assert len(helper_source(program)) == 1
    assert not trace.exists()

"""Programs made to run: found by name, switches folded, as Python functions and as lines of a kernel."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import numpy as np
import pytest
from compiled import compiled, driver
from fails import fails
from marked import marked

from neuroemu.base.errors import FirmwareError, UnknownNameError
from neuroemu.chip.chip import load_chip
from neuroemu.chip.width import Bits
from neuroemu.language.check import check_program
from neuroemu.language.program import (
    CALLEE,
    distances,
    helper_source,
    hook_lines,
    is_rule,
    load_program,
    parse_program,
    python_hooks,
    specialize,
)

GENERIC = load_chip("generic45")
SWITCHED = ("lif", "cuba_lif", "if")
SETTINGS = [
    dict(zip(("subtract", "late", "inclusive"), bits, strict=True)) for bits in itertools.product((0, 1), repeat=3)
]


# ---- names
def test_programs_are_found_by_name_member_and_path(tmp_path: Path) -> None:
    assert load_program("cuba_lif").name == "cuba_lif"
    path = tmp_path / "mine.py"
    path.write_text(
        "class b:\n    def soma(v: State):\n        return v\nclass c:\n    def end(v: State):\n        return v\n"
    )
    assert [load_program(f"{path}.{member}").name for member in "bc"] == ["mine.b", "mine.c"]
    with fails(UnknownNameError, "no program named 'mine'; did you mean 'mine.c'? there are: mine.b, mine.c"):
        load_program(path)
    with fails(UnknownNameError, "no program named 'mine.d'; did you mean 'mine.c'? there are: mine.b, mine.c"):
        load_program(f"{path}.d")


def test_a_program_is_a_rule_if_a_projection_runs_it() -> None:
    assert not is_rule(load_program("lif"))
    assert is_rule(parse_program("def fire_pre(x: Pre):\n    return x\n", "p.py", "p"))


# ---- switches
@pytest.mark.parametrize("name", SWITCHED)
@pytest.mark.parametrize("switches", SETTINGS, ids=[str(tuple(setting.values())) for setting in SETTINGS])
def test_folded_switches_compute_the_same(name: str, switches: dict[str, int]) -> None:
    whole = load_program(name)
    folded = specialize(whole, switches)
    taken = [argument.name for argument in folded.hooks["soma"].arguments]
    unfolded_hook, folded_hook = python_hooks(whole)["soma"], python_hooks(folded)["soma"]
    rng = random.Random(str((name, switches)))
    results = []
    for _ in range(200):
        values: dict[str, int | Bits] = {}
        for argument in whole.hooks["soma"].arguments:
            low, high = argument.limits or (-300, 300)
            values[argument.name] = Bits(12, 0) if argument.kind == "width" else rng.randint(low, high)
        results.append(unfolded_hook(*(values | switches).values()))
        assert folded_hook(*(values[argument] for argument in taken)) == results[-1]
    assert 20 < sum(spike for *_, spike in results) < 180
    assert len(set(results)) > 100


@pytest.mark.parametrize("name", SWITCHED)
def test_folded_switches_leave_no_trace_and_cost_less(name: str) -> None:
    whole = load_program(name)
    most = check_program(whole, GENERIC).hooks["soma"].operations
    totals = []
    for switches in SETTINGS:
        folded = specialize(whole, switches)
        assert folded.of_kind("switch") == ()
        assert "switch" not in {argument.kind for argument in folded.hooks["soma"].arguments}
        lines = "\n".join(hook_lines(folded, "soma", "_", {}, {"u_width": Bits(12, 0)}, narrow=False))
        assert not any(switch in lines for switch in switches)
        counts = check_program(folded, GENERIC).hooks["soma"].operations
        assert all(counts[kind] <= most[kind] for kind in most)
        totals.append(sum(counts.values()))
    assert max(totals) < sum(most.values())
    assert len(set(totals)) > 1
    assert whole.of_kind("switch") == ("subtract", "late", "inclusive"), "folding changed the program it started from"


def test_folding_by_hand() -> None:
    folded = specialize(load_program("if"), {"subtract": 1})
    assert hook_lines(folded, "soma", "", {}, {}, narrow=False) == [
        "fired = 0",
        "v = v + drive + bias",
        "v = v",
        "spike = 1 if v > threshold else 0",
        "v = v - threshold if spike else v",
    ]
    late = specialize(load_program("if"), {"late": 1, "inclusive": 1})
    assert hook_lines(late, "soma", "", {}, {}, narrow=False) == [
        "fired = 1 if v >= threshold else 0",
        "v = v + drive + bias",
        "v = reset if fired else v",
        "spike = 1 if v >= threshold else 0",
        "v = v",
    ]


FOLDS = [
    ("v = 1 if s and v > 0 else 2", "v = 2", "v = 1 if v > 0 else 2"),
    ("v = 1 if s or v > 0 else 2", "v = 1 if v > 0 else 2", "v = 1"),
    ("v = 1 if not s and (v or s) else 2", "v = 1 if v else 2", "v = 2"),
    ("v = 1 if s and s else 2", "v = 2", "v = 1"),
    ("v = 1 if v and w and s else 2", "v = 2", "v = 1 if v and w else 2"),
    ("v = v * (3 if s else 4) + s", "v = v * 4 + 0", "v = v * 3 + 1"),
    ("w = s; w += v; v = w", "w = 0\nw = w + v\nv = w", "w = 1\nw = w + v\nv = w"),
    (
        "w = s; v = 5 if w else v; w = v; v = 6 if w else v",
        "w = 0\nv = v\nw = v\nv = 6 if w else v",
        "w = 1\nv = 5\nw = 5\nv = 6",
    ),
]


@pytest.mark.parametrize(("statement", "off", "on"), FOLDS, ids=[statement for statement, _, _ in FOLDS])
def test_constants_are_followed_through_a_hook(statement: str, off: str, on: str) -> None:
    program = parse_program(
        f"def soma(v: State, w: State, s: Switch):\n    {statement}\n    return v, w\n", "p.py", "p"
    )
    for value, text in ((0, off), (1, on)):
        folded = specialize(program, {"s": value})
        assert "\n".join(hook_lines(folded, "soma", "", {}, {}, narrow=False)) == text
        for v in (-2, 0, 7):
            assert python_hooks(folded)["soma"](v, 3) == python_hooks(program)["soma"](v, 3, value)


def test_a_result_that_folds_to_a_constant_is_still_returned_in_a_tuple() -> None:
    program = parse_program("def soma(v: State, s: Switch):\n    v = 3 if s else 4\n    return v\n", "p.py", "p")
    assert python_hooks(specialize(program, {"s": 1}))["soma"](9) == (3,)
    assert python_hooks(program)["soma"](9, 0) == (4,)


def test_errors_after_folding_still_point_at_their_place() -> None:
    source, place = marked(
        "def soma(v: State, s: Switch):\n    w = v\n    v = 1 if s else (w +\n      §v * v * v)\n    return v\n"
    )
    folded = specialize(parse_program(source, "p.py", "p"), {"s": 0})
    text = (
        "`v * v * v` can reach -9903520314283042199192993792..9903520309671356180765605888, past 64 bits on generic45; "
        "narrow an operand with fit or clamp, or shift it first"
    )
    with fails(FirmwareError, place + text):
        check_program(folded, GENERIC)
    check_program(specialize(parse_program(source, "p.py", "p"), {"s": 1}), GENERIC)  # the branch is gone


SWITCHES = [
    ("lif", {"fast": 1}, ":1:1: program 'lif' has no switch 'fast'; it has: subtract, late, inclusive"),
    ("li", {"late": 0}, ":1:1: program 'li' has no switch 'late'; it has: none"),
    ("if", {"late": 2}, ":1:1: switch 'late' of 'if' is 2; a switch is 0 or 1"),
]


@pytest.mark.parametrize(("name", "switches", "text"), SWITCHES, ids=[name for name, _, _ in SWITCHES])
def test_switch_is_refused(name: str, switches: dict[str, int], text: str) -> None:
    program = load_program(name)
    with fails(FirmwareError, f"{program.path}{text}"):
        specialize(program, switches)


# ---- Python
def test_python_hooks_see_nothing_but_the_language() -> None:
    program = parse_program(
        "K = 2\ndef twice(x):\n    return x * K\ndef soma(v: State):\n    v = twice(v)\n    return v\n", "p.py", "p"
    )
    hook = python_hooks(program)["soma"]
    assert hook(21) == (42,)
    names = hook.__globals__  # type: ignore[attr-defined]
    assert set(names["__builtins__"]) == {"min", "max", "abs"}
    assert {"twice", "K", "clamp", "SPIKE"} <= set(names)
    assert hook.__annotations__ == {}


# ---- kernels
SOURCE = """
K = 5
def pick(row, x, key, width):
    '''An entry, some noise.'''
    x += 1
    return fit(row[clamp(x, 0, 3)] + uniform(key, 0, 2) + K, width)
def soma(v: State(16), w: State(16), key: Key, t: Table(4, -90, 90), k: Param(0, 9), v_width: Width):
    v -= shift_floor(w, k) * K + ERROR
    v = fit(v, v_width) + pick(t, w, key, v_width)
    w = min(-v, 7) if v != 0 else -3
    return v, w
"""


def test_lines_of_a_kernel() -> None:
    program = parse_program(SOURCE, "p.py", "p")
    assert hook_lines(program, "soma", "p0_", {"k": 4}, {"v_width": Bits(16, 1)}, narrow=False) == [
        "p0_v = p0_v - (shift_floor(p0_w, 4) * 5 + 1)",
        "p0_v = fit(i64(p0_v), (16, 1)) + h_p_pick(p0_t, p0_w, p0_key, (16, 1))",
        "p0_w = min(-p0_v, 7) if p0_v != 0 else -3",
    ]
    assert hook_lines(program, "soma", "", {}, {"v_width": Bits(16, 1)}, narrow=True) == [
        "v = i4(v - i4(i4(i4(shift_floor_i4(w, k)) * i4(5)) + i4(1)))",
        "v = i4(i4(fit(i64(v), (16, 1))) + i4(h_p_pick(t, w, key, (16, 1))))",
        "w = i4(min(i4(-v), i4(7))) if v != i4(0) else i4(-i4(3))",
    ]
    assert helper_source(program) == [
        f"{CALLEE}\ndef h_p_pick(row, x, key, width):\n    x = x + 1\n"
        "    return fit(i64(row[clamp(x, 0, 3)] + uniform(key, 0, 2) + 5), width)"
    ]
    assert distances(program) == ("k",)


def test_helpers_of_programs_with_similar_names_are_told_apart() -> None:
    source = "def f(x):\n    return x\ndef soma(v: State):\n    v = f(v)\n    return v\n"
    rule = "def f(x):\n    return x\nclass b:\n    def soma(v: State):\n        v = f(v)\n        return v\n"
    texts = [
        helper_source(parse_program(text, "p.py", name))[0]
        for text, name in ((source, "a_b"), (rule, "a.b"), (source, "2²"))
    ]
    names = [re.findall(r"def (\w+)\(", text)[0] for text in texts]
    assert len(set(names)) == 3
    assert all(name.isidentifier() and name.isascii() for name in names)


def test_compiled_helpers_with_tables_keys_and_widths_give_the_integers_of_python() -> None:
    program = parse_program(SOURCE, "p.py", "p")
    proof = check_program(program, GENERIC)
    width, table = Bits(16, 1), [-90, 4, 50, 90]
    lines = [f"t = np.array({table})", *hook_lines(program, "soma", "", {"k": 2}, {"v_width": width}, narrow=False)]
    run = compiled(*helper_source(program), driver("run", ["v", "w"], lines, ["v", "w"]))["run"]
    rng = random.Random(1)
    rows = [(rng.randint(-(1 << 15), (1 << 15) - 1), rng.choice([-7, 0, 1, 2, 30000])) for _ in range(200)]
    keys = [rng.randrange(1 << 64) for _ in rows]
    out = np.zeros((len(rows), 2), np.int64)
    run(np.array(rows), np.array(keys, np.uint64), out)
    hook = python_hooks(program)["soma"]
    expected = [hook(*row, key, table, 2, width) for row, key in zip(rows, keys, strict=True)]
    assert [tuple(row) for row in out.tolist()] == expected
    assert len(set(expected)) > 100
    assert proof.hooks["soma"].operations["random"] == 1

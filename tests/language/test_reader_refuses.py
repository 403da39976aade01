"""Everything outside the firmware language is refused, with the place (marked § in the snippet) and the way out."""

from __future__ import annotations

import pytest
from fails import fails
from marked import marked

from neuroemu.base.errors import FirmwareError
from neuroemu.language.grammar import MAX_DEPTH
from neuroemu.language.reader import read_programs

ROLES = "State, Keep, Weight, Sum, Pre, PreKeep, Post, PostState, Param, Switch, Table, Width, Port, Input, Key"
INTRINSICS = (
    "clamp, shift_left, shift_floor, shift_zero, shift_round, shift_away, decay_to_zero, fit, leading_one, uniform, "
    "shift_stochastic"
)
CHANNELS = "SPIKE, ERROR, PROBE, INHIBIT, INPUT, TARGET"
HOOKS = (
    "tick_pre, arrive, arrive_synapse, modulate, soma, settle, tick_post, fire_synapse, fire_pre, tick_synapse, end, "
    "end_synapse, commit, commit_synapse"
)
SHIFTS = "use shift_left, shift_floor, shift_zero, shift_round or shift_away, whose name says how it rounds"
DIVIDER = "cores have no divider: use a shift or a table of reciprocals"
LIMITS = (
    "are not understood; write State(bits) with 2 to 64 bits, Param(low, high), Table(length) or Table(length, low, high); "
    "Sum, Port and what is no register take none"
)


def refused(source: str, text: str) -> None:
    """The marked source is refused with this text, at the mark."""
    clean, place = marked(source)
    with fails(FirmwareError, place + text):
        read_programs(clean, "p.py", "p")


# one statement of a soma
STATEMENTS = [
    ("v = §v / 2", f"division; {DIVIDER}"),
    ("v = 1 + §v // 2", f"division; {DIVIDER}"),
    ("v = §v % 8", f"remainder; {DIVIDER}"),
    ("v = §v ** 2", "power; use + - * and the intrinsics"),
    ("v = §v << 1", f"shift operator; {SHIFTS}"),
    ("v = min(v, §w >> n)", f"shift operator; {SHIFTS}"),
    ("v = §v & 7", "bit operator; use + - * and the intrinsics"),
    ("v = §v @ w", "matrix product; use + - * and the intrinsics"),
    ("v = §~v", "operator ~ or unary +; use - * + and the intrinsics"),
    ("v = §+v", "operator ~ or unary +; use - * + and the intrinsics"),
    ("v = §v > 3", "truth value used as a number; write (1 if v > 3 else 0)"),
    ("v = w + (§not v)", "truth value used as a number; write (1 if not v else 0)"),
    ("v = 1 if (§v < w) < n else 0", "truth value used as a number; write (1 if v < w else 0)"),
    ("v = (§v and w) if n else 0", "truth value used as a number; write (1 if v and w else 0)"),
    ("v = v * §0.5", "0.5 is not an integer; scale it and use an integer"),
    ("v = §True", "True is not an integer; scale it and use an integer"),
    ("v = §'lif'", "'lif' is not an integer; scale it and use an integer"),
    ("v = §9223372036854775808", "constant past 64 bits; use a smaller one"),
    ("v = §0x" + "f" * 5000, "constant past 64 bits; use a smaller one"),
    ("v = v + §u", "'u' is not an argument, a constant or an earlier name; declare or assign it"),
    ("v = 1 if w else §u", "'u' is not an argument, a constant or an earlier name; declare or assign it"),
    ("v = 1 if w or v < §u else 0", "'u' is not an argument, a constant or an earlier name; declare or assign it"),
    ("v = -§u", "'u' is not an argument, a constant or an earlier name; declare or assign it"),
    ("v = §u[0]", "'u' is not an argument, a constant or an earlier name; declare or assign it"),
    ("v = t[§u]", "'u' is not an argument, a constant or an earlier name; declare or assign it"),
    ("v += §u", "'u' is not an argument, a constant or an earlier name; declare or assign it"),
    ("v = §later + 1; later = v", "'later' is not an argument, a constant or an earlier name; declare or assign it"),
    ("v = §t[0][1]", "subscript of something else than a table; write table[index]"),
    ("v = §t[0:2]", "subscript of something else than a table; write table[index]"),
    ("v = §v.bit_length", "attribute expression; use integers, + - *, comparisons, a if t else b and intrinsics"),
    ("v = §[v]", "list expression; use integers, + - *, comparisons, a if t else b and intrinsics"),
    ("v = §f'{v}'", "joinedstr expression; use integers, + - *, comparisons, a if t else b and intrinsics"),
    ("v = (§w := 3)", "namedexpr expression; use integers, + - *, comparisons, a if t else b and intrinsics"),
    ("v = (§lambda: v)", "lambda expression; use integers, + - *, comparisons, a if t else b and intrinsics"),
    ("v = 1 if §v is w else 0", "comparison is not one of == != < <= > >=; use one of these"),
    ("v = 1 if §v in w else 0", "comparison is not one of == != < <= > >=; use one of these"),
    ("v = clamp(§print(v), 0, 1)", f"call of 'print'; the functions are {INTRINSICS}, min, max, abs and helpers defined above"),
    (
        "v = §().__class__()",
        f"call of '().__class__'; the functions are {INTRINSICS}, min, max, abs and helpers defined above",
    ),
    ("v = §clamp(v, 0, high=3)", "'clamp' called with keywords or a star; use plain arguments"),
    ("v = §min(*t)", "'min' called with keywords or a star; use plain arguments"),
    ("v = §clamp(v, 0)", "'clamp' takes 3 arguments, not 2; see neuroemu/isa.py"),
    ("v = §abs(v, w)", "'abs' takes 1 argument, not 2; see neuroemu/isa.py"),
    ("v = §max(v)", "'max' takes 2 to 8 arguments, not 1; see neuroemu/isa.py"),
    ("§v >>= 1", "operator is not += -= or *=; use a shift intrinsic, whose name says how it rounds"),
    ("§u += 1", "'u' is changed before it has a value; assign it first"),
    ("§if v: v = 0", "if statement; use a conditional expression: x = a if test else b"),
    ("§for i in range(3): v = v + i", "loop; a hook handles one neuron or synapse, write the steps out or use a table"),
    ("§while v: v = v - 1", "loop; a hook handles one neuron or synapse, write the steps out or use a table"),
    ("§v = w = 3", "statement is not `name = expression`; a hook is assignments and a final return"),
    ("§t[0] = 3", "statement is not `name = expression`; a hook is assignments and a final return"),
    ("§v: int = 3", "statement is not `name = expression`; a hook is assignments and a final return"),
    ("§print(v)", "statement is not `name = expression`; a hook is assignments and a final return"),
    ("§global K", "statement is not `name = expression`; a hook is assignments and a final return"),
    ("§return w", "statement is not `name = expression`; a hook is assignments and a final return"),
    ("§K = v", "'K' is a constant; use another name"),
    ("§ERROR = v", "'ERROR' is a constant; use another name"),
    ("§K += 1", "'K' is a constant; use another name"),
    ("§fit = v", "'fit' is an intrinsic; use another name"),
    ("§max = v", "'max' is an intrinsic; use another name"),
    ("§twice = v", "'twice' is a function; use another name"),
    ("§__debug__ = 1", "'__debug__' is Python's own; use another name"),
    ("§n = n + 1", "'n' is a parameter; use another name"),
    ("§n += 1", "'n' is a parameter; use another name"),
    ("§s = 1", "'s' is a switch; use another name"),
    ("§t = 1", "'t' is a table; use another name"),
    ("§key = 1", "'key' is a key; use another name"),
    ("§v_width = 1", "'v_width' is a width; use another name"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "text"), STATEMENTS, ids=[statement[:40] for statement, _ in STATEMENTS])
def test_statement_is_refused(statement: str, text: str) -> None:
    arguments = "v: State, w: State, n: Param(0, 9), s: Switch, t: Table(4), key: Key, v_width: Width"
    refused(f"K = 3\ndef twice(x):\n    return x + x\ndef soma({arguments}):\n    {statement}\n    return v\n", text)


# the arguments of a hook
ARGUMENTS = [
    ("soma", "§v", f"argument 'v' has no role; annotate it with one of {ROLES}"),
    ("soma", "v: State, §w: int", f"'int' is not a role; use one of {ROLES}"),
    ("soma", "§v: Neuron(3)", f"'Neuron' is not a role; use one of {ROLES}"),
    ("soma", "v: State, §v: State", "'soma' has two arguments 'v'; keep one"),
    ("soma", "v: State(12, bits=§3)", "role takes no 'bits'; the only keyword is init"),
    ("soma", "v: State(§half)", "not an integer constant; write an integer, or + - * of integers"),
    ("soma", "v: State, §payload: Input", "'soma' has no input 'payload'; its inputs are: tick, phase, phase_tick"),
    ("fire_pre", "v: Pre, §tick: Input", "'fire_pre' has no input 'tick'; its inputs are: none"),
    ("settle", "v: State, §fired: Input", "'settle' has no input 'fired'; its inputs are: <flag>_any, <flag>_won"),
    ("settle", "v: State, §key: Key", "'settle' has no random key; draw in a hook that has one"),
    ("soma", "v: State, §x: Pre", "'soma' cannot read a Pre register; it reads State, Keep, Weight, Port, Sum"),
    ("modulate", "v: State, §p: Port", "'modulate' cannot read a Port register; it reads State, Keep, Weight"),
    ("tick_post", "v: PostState, §y: Post", "'tick_post' cannot read a Post register; it reads PostState"),
    ("commit_synapse", "v: Weight, §e: State", "'commit_synapse' cannot read a State register; it reads Weight, Sum"),
    ("soma", "§v: State(1)", f"limits (1,) of 'v' {LIMITS}"),
    ("soma", "§v: State(65)", f"limits (65,) of 'v' {LIMITS}"),
    ("soma", "§v: State(8, 9)", f"limits (8, 9) of 'v' {LIMITS}"),
    ("soma", "v: State, §a: Param(3)", f"limits (3,) of 'a' {LIMITS}"),
    ("soma", "v: State, §a: Param(4, 3)", f"limits (4, 3) of 'a' {LIMITS}"),
    ("soma", "v: State, §t: Table", f"limits () of 't' {LIMITS}"),
    ("soma", "v: State, §t: Table(0)", f"limits (0,) of 't' {LIMITS}"),
    ("soma", "v: State, §t: Table(1024 * 1024 + 1)", f"limits (1048577,) of 't' {LIMITS}"),
    ("soma", "v: State, §t: Table(4, 9, 1)", f"limits (4, 9, 1) of 't' {LIMITS}"),
    ("soma", "v: State, §s: Switch(1)", f"limits (1,) of 's' {LIMITS}"),
    ("soma", "v: State, §drive: Port(16)", f"limits (16,) of 'drive' {LIMITS}"),
    ("end", "v: State, §total: Sum(32)", f"limits (32,) of 'total' {LIMITS}"),
    ("soma", "v: State, §t: Table(4, init=1)", "'t' takes no start value; init is for registers and parameters"),
    ("soma", "v: State, §s: Switch(init=1)", "'s' takes no start value; init is for registers and parameters"),
    ("end", "v: State, §total: Sum(init=1)", "'total' takes no start value; init is for registers and parameters"),
    ("soma", "v: State, §K: State", "'K' is a constant; use another name"),
    ("soma", "v: State, §clamp: State", "'clamp' is an intrinsic; use another name"),
]


@pytest.mark.parametrize(("hook", "arguments", "text"), ARGUMENTS, ids=[f"{h}({a})" for h, a, _ in ARGUMENTS])
def test_argument_is_refused(hook: str, arguments: str, text: str) -> None:
    refused(f"K = 3\ndef {hook}({arguments}):\n    return v\n", text)


# what a hook returns
RETURNS = [
    ("soma(v: State)", "§return", "hook returns nothing; return the names of what it writes"),
    ("soma(v: State)", "§return ()", "hook returns nothing; return the names of what it writes"),
    ("soma(v: State)", "§return v + 1", "return of an expression; assign it to a name and return the name"),
    ("soma(v: State)", "return v, §u", "'u' is returned but never assigned; assign it or drop it"),
    ("soma(v: State)", "return v, §v", "'v' is returned twice; return it once"),
    ("soma(v: State, p: Port)", "§return v, p", "'soma' may not write 'p'; it writes State, Keep, Sum"),
    ("commit(w: Weight, s: Sum)", "§return w, s", "'commit' may not write 's'; it writes Weight"),
    ("soma(spike: State)", "§return spike", "'spike' is what a soma sends; give the register another name"),
    ("soma(fire: State)", "§return fire", "'fire' is what a soma sends; give the register another name"),
    (
        "soma(error_payload: State)",
        "§return error_payload",
        "'error_payload' is what a soma sends; give the register another name",
    ),
    (
        "soma(v: State)",
        "spike_payload = v\n    §return v, spike_payload",
        "'spike_payload' is returned without 'spike', which says whether to send; return both",
    ),
    (
        "soma(v: State)",
        "reset = 1\n    §return v, reset",
        "'reset' is no register of 'soma'; declare it as an argument with a role, or do not return it",
    ),
    (
        "end(v: State)",
        "spike = 1\n    §return v, spike",
        "'spike' is no register of 'end'; declare it as an argument with a role, or do not return it",
    ),
    (
        "soma(v: State, w: State)",
        "w = v\n    §return v",
        "register 'w' is changed but not returned; return it, or use another name",
    ),
    (
        "fire_synapse(e: State, v: Post)",
        "v += 1\n    §return e",
        "register 'v' is changed but not returned; return it, or use another name",
    ),
]


@pytest.mark.parametrize(("hook", "body", "text"), RETURNS, ids=[f"{h}: {b}" for h, b, _ in RETURNS])
def test_return_is_refused(hook: str, body: str, text: str) -> None:
    refused(f"def {hook}:\n    {body}\n", text)


# whole messages, path and all
END = "def soma(v: State(8, init=1)):\n    return v\ndef end(v: {}):\n    return v\n"
WHOLE = [
    ("def soma(v: State)\n    return v\n", "p.py:1:19: not Python (expected ':'); correct the syntax"),
    ("\nv = (1\n", "p.py:2:5: not Python ('(' was never closed); correct the syntax"),
    (
        "K = '\ud800'\n",
        "p.py:1:1: not Python ('utf-8' codec can't encode character '\\ud800' in position 5: surrogates not allowed); "
        "save it as plain UTF-8 text",
    ),
    (
        "K = " + "-" * 100000 + "1\n",
        "p.py:1:1: nested more than 64 levels deep; give the inner expressions names of their own",
    ),
    ("K = 3\n", f"p.py:1:1: no hook found; define at least one of {HOOKS}"),
    ("", f"p.py:1:1: no hook found; define at least one of {HOOKS}"),
    (
        END.format("Keep(8)"),
        "p.py:3:9: 'v' is State(8, init=1) in one hook and Keep(8) in another; give it one role",
    ),
    (
        END.format("State(12)"),
        "p.py:3:9: 'v' is State(8, init=1) in one hook and State(12) in another; give it one role",
    ),
    (
        END.format("State(init=2)"),
        "p.py:3:9: 'v' is State(8, init=1) in one hook and State(init=2) in another; give it one role",
    ),
    (
        "def soma(v: State(128)):\n    return v\n",
        "p.py:1:10: limits (128,) of 'v' are not understood; write State(bits) with 2 to 64 bits, Param(low, high), "
        "Table(length) or Table(length, low, high); Sum, Port and what is no register take none",
    ),
    (
        "import os\n",
        "p.py:1:1: import of 'os'; a program imports from neuroemu.isa only, its host functions from neuroemu, numpy, dataclasses, "
        "math, itertools, functools, collections.abc, typing: import other modules inside wire",
    ),
    (
        "def end_synapse(e: State):\n    return e\nGATE = {'fire_synapse': 'e'}\n",
        "p.py:3:9: GATE names hook 'fire_synapse', which this program does not define; name one of its hooks",
    ),
]


@pytest.mark.parametrize(("source", "text"), WHOLE, ids=[repr(source)[:60] for source, _ in WHOLE])
def test_message_is(source: str, text: str) -> None:
    with fails(FirmwareError, text):
        read_programs(source, "p.py", "p")


# whole files
SOMA = "def soma(v: State):\n    return v\n"
ONLY = "only functions, classes, integer constants, GATE and ONLINE may stand here"
IMPORTS = (
    "a program imports from neuroemu.isa only, its host functions from neuroemu, numpy, dataclasses, math, itertools, functools, "
    "collections.abc, typing: import other modules inside wire"
)
FILES = [
    (
        "def soma(v: State):\n    v = "
        + "(v - " * (MAX_DEPTH - 3)
        + "(§v - v"
        + ")" * (MAX_DEPTH - 2)
        + "\n    return v\n",
        "nested more than 64 levels deep; give the inner expressions names of their own",
    ),
    ("§import os\n" + SOMA, f"import of 'os'; {IMPORTS}"),
    ("import numpy as np\n§import numpy.lib.format\n" + SOMA, f"import of 'numpy.lib.format'; {IMPORTS}"),
    (SOMA + "§print(3)\n", f"statement outside a hook; {ONLY}"),
    ("§async " + SOMA, f"statement outside a hook; {ONLY}"),
    ("§A, B = 1, 2\n" + SOMA, f"statement outside a hook; {ONLY}"),
    ("§from os import system\n" + SOMA, f"import of 'os'; {IMPORTS}"),
    ("§from . import isa\n" + SOMA, f"import of '.'; {IMPORTS}"),
    ("§from neuroemu.isa import State as S\n" + SOMA, "'State' imported under another name; use the name itself"),
    (
        "from neuroemu.isa import State\n§from neuroemu.isa import divide\n" + SOMA,
        f"neuroemu.isa has no 'divide'; it has {ROLES}, {INTRINSICS}, {CHANNELS}",
    ),
    (SOMA + "§" + SOMA, "'soma' is defined twice; keep one"),
    ("§def clamp(x):\n    return x\n" + SOMA, "'clamp' is an intrinsic; use another name"),
    ("K = 3\n§def K(x):\n    return x\n" + SOMA, "'K' is a constant; use another name"),
    ("def twice(x):\n    return x + x\n§twice = 3\n" + SOMA, "'twice' is a function; use another name"),
    ("K = 3\n§K = 4\n" + SOMA, "'K' is a constant; use another name"),
    ("§SPIKE = 4\n" + SOMA, "'SPIKE' is a constant; use another name"),
    ("K = §0.5\n" + SOMA, "not an integer constant; write an integer, or + - * of integers"),
    ("K = 2 * §max(1, 2)\n" + SOMA, "not an integer constant; write an integer, or + - * of integers"),
    ("K = §7 // 2\n" + SOMA, "not an integer constant; write an integer, or + - * of integers"),
    ("A = 0x7fffffffffffffff\nB = 1 + §A * A\n" + SOMA, "constant past 64 bits; use a smaller one"),
    ("§def soma(v: State):\n    v = v + 1\n", "'soma' does not end in return; return the names of what it writes"),
    ("§def soma(v: State):\n    'Leaks.'\n", "'soma' does not end in return; return the names of what it writes"),
    ("ONLINE = §1\n" + SOMA, "ONLINE is not True or False; write ONLINE = True"),
    (
        SOMA + "§def fire_pre(x: Pre):\n    return x\n",
        "hook 'fire_pre' is of a projection, others here are of a population; put them into two classes",
    ),
    (
        "§def tick_synapse(w: Weight):\n    return w\n",
        "'tick_synapse' writes weight 'w' at once; set ONLINE = True, or gather a Sum and write it in commit_synapse",
    ),
    # helpers
    ("def f(§x: State):\n    return x\n" + SOMA, "helper argument 'x' has a role; roles belong to hooks"),
    ("def f(x):\n    §return\n" + SOMA, "helper returns nothing; return an integer expression"),
    ("§def f(x=1):\n    return x\n" + SOMA, "'f' has default, keyword or star arguments; use plain arguments"),
    ("§def f(x, *y):\n    return x\n" + SOMA, "'f' has default, keyword or star arguments; use plain arguments"),
    ("@cache\n§def f(x):\n    return x\n" + SOMA, "'f' has a decorator; a program is plain functions"),
    (
        "def f(x) -> §print(1):\n    return x\n" + SOMA,
        "'f' states a type; only the arguments of a hook are annotated",
    ),
    ("def f(§g):\n    return g\ndef g(x):\n    return x\n" + SOMA, "'g' is a function; use another name"),
    (
        "def f(x):\n    return §f(x)\n" + SOMA,
        f"call of 'f'; the functions are {INTRINSICS}, min, max, abs and helpers defined above",
    ),
    (
        "def f(x):\n    return §g(x)\ndef g(x):\n    return x\n" + SOMA,
        f"call of 'g'; the functions are {INTRINSICS}, min, max, abs and helpers defined above",
    ),
]

BODY = "    def soma(v: State):\n        return v\n"
CLASSES = [
    ("§class a(b):\n" + BODY, "class 'a' has a base or decorator; a program is a plain class of hooks"),
    ("@frozen\n§class a:\n" + BODY, "class 'a' has a base or decorator; a program is a plain class of hooks"),
    ("class a:\n    §def twice(x):\n        return x\n", f"'twice' is not a hook; use one of {HOOKS}"),
    ("class a:\n    §import os\n" + BODY, f"statement outside a hook; {ONLY}"),
    ("§class a:\n    K = 3\n", f"class 'a' has no hook; define at least one of {HOOKS}"),
    ("class a:\n" + BODY + "§class a:\n" + BODY, "class 'a' is defined twice; keep one"),
    (
        "class a:\n" + BODY + "§" + SOMA,
        "'soma' stands outside the file's classes; move it into the class it is for",
    ),
    (
        "§ONLINE = True\nclass a:\n" + BODY,
        "'ONLINE' stands outside the file's classes; move it into the class it is for",
    ),
    (
        "class a:\n    K = 3\n" + BODY + "class b:\n    def end(v: State):\n        v = §K\n        return v\n",
        "'K' is not an argument, a constant or an earlier name; declare or assign it",
    ),
    ("K = 3\nclass a:\n    §K = 4\n" + BODY, "'K' is a constant; use another name"),
]

FIRE = "def fire_synapse(e: State(8), x: Pre, v: Post, s: Sum):\n    s = s + e\n    return e, s\n"
COMMIT = "def commit_synapse(w: Weight, s: Sum):\n    return w\n"
ARRIVE = "def arrive_synapse(v: Post):\n    v = v + 1\n    return v\n"
NO_HOOK = "which this program does not define; name one of its hooks"
GATES = [
    ("GATE = §'x'\n" + FIRE, "GATE is not a dictionary; write GATE = {'fire_synapse': 'x'}"),
    ("GATE = {§'end_synapse': 'x'}\n" + FIRE, f"GATE names hook 'end_synapse', {NO_HOOK}"),
    ("GATE = {§fire_synapse: 'x'}\n" + FIRE, f"GATE names hook None, {NO_HOOK}"),
    ("GATE = {**§{}}\n" + FIRE, f"GATE names hook None, {NO_HOOK}"),
    ("GATE = {§'soma': 'v'}\n" + SOMA, "GATE on 'soma'; only synapse hooks can be gated"),
    ("GATE = {'fire_synapse': §x}\n" + FIRE, "GATE entry is not a register's name; write 'x' or ('x', 'y')"),
    ("GATE = {'fire_synapse': §()}\n" + FIRE, "GATE entry is not a register's name; write 'x' or ('x', 'y')"),
    (
        "GATE = {'fire_synapse': ('x', §'z')}\n" + FIRE,
        "GATE register 'z' is not declared in any hook; declare it or correct the name",
    ),
    (
        "GATE = {'commit_synapse': ('s', §'x')}\n" + FIRE + COMMIT,
        "GATE register 'x' is one 'commit_synapse' cannot read; it reads Weight, Sum",
    ),
    (
        "GATE = {'fire_synapse': §'s'}\n" + FIRE,
        "GATE register 's' is still being added to, in any order; gate with another",
    ),
    (
        "GATE = {'arrive_synapse': §'v'}\n" + ARRIVE,
        "GATE register 'v' is still being added to, in any order; gate with another",
    ),
]


SWITCHED = "def end_synapse(e: State(8), s: Sum, k: Switch):\n    s = s + e if k else s - e\n    return s\n"
GATED = "GATE = {'end_synapse': 'e'}\n"
UNGATED = [
    (GATED + "UNGATED = §'k'\n" + SWITCHED, "UNGATED is not a dictionary; write UNGATED = {'end_synapse': 'momentum'}"),
    (
        "UNGATED = {§'end_synapse': 'k'}\n" + SWITCHED,
        "UNGATED names hook 'end_synapse', which has no gate; name one that GATE has",
    ),
    (
        GATED + "UNGATED = {'end_synapse': ('k', §'e')}\n" + SWITCHED,
        "UNGATED names 'e', which is no switch of 'p'; its switches: k",
    ),
    (
        GATED + "UNGATED = {'end_synapse': §k}\n" + SWITCHED,
        "UNGATED entry is not a switch's name; write 'momentum', or a tuple of such",
    ),
]
ONE = "class one:\n    def end_synapse(e: State(8), s: Sum, k: Switch):\n        s = s + e if k else s - e\n        return s\n"
FORM = "write ALIASES = {'nearest': ('synapse', {'nearest': 1})}"
ALIASES = [
    ("ALIASES = §{'a': one}\n" + ONE, f"ALIASES is not a dictionary of literals; {FORM}"),
    ("ALIASES = §['a']\n" + ONE, f"ALIASES is not a dictionary of literals; {FORM}"),
    ("ALIASES = §{'a.b': ('one', {})}\n" + ONE, f"ALIASES names 'a.b', which is no name; {FORM}"),
    ("ALIASES = §{'one': ('one', {})}\n" + ONE, "ALIASES names 'one', which is a class of the file; use another name"),
    (
        "ALIASES = §{'a': 'one'}\n" + ONE,
        f"alias 'a' is 'one', not a class, its switches and, if any, options of wire; {FORM}",
    ),
    (
        "ALIASES = §{'a': ('one', {}, 3)}\n" + ONE,
        f"alias 'a' is ('one', {{}}, 3), not a class, its switches and, if any, options of wire; {FORM}",
    ),
    (
        "ALIASES = §{'a': ('one', {}, {1: 2})}\n" + ONE,
        f"alias 'a' is ('one', {{}}, {{1: 2}}), not a class, its switches and, if any, options of wire; {FORM}",
    ),
    ("ALIASES = §{'a': ('two', {})}\n" + ONE, "alias 'a' stands for 'two', which is no class of the file; name one"),
    ("ALIASES = §{'a': ('one', {'z': 1})}\n" + ONE, "alias 'a' sets z=1; 'p.one' has switches k, 0 or 1"),
    ("ALIASES = §{'a': ('one', {'k': 2})}\n" + ONE, "alias 'a' sets k=2; 'p.one' has switches k, 0 or 1"),
]
HOST = [
    (
        "@print\n§def wire(network):\n    pass\n",
        "'wire' has a decorator, which would run when the file is loaded; write it without",
    ),
    (
        "def wire(network, x=§print('!')):\n    pass\n",
        "default `print('!')` of 'wire' would be computed when the file is loaded; write a literal or a constant of the file",
    ),
    (
        "def as_float(x, *, y=§{}.get):\n    pass\n",
        "default `{}.get` of 'as_float' would be computed when the file is loaded; write a literal or a constant of the file",
    ),
    (
        "def wire_more(x, y=§np):\n    pass\n",
        "default `np` of 'wire_more' would be computed when the file is loaded; write a literal or a constant of the file",
    ),
    (
        "from numpy import test as set\ndef wire(network, x=§(1, set())):\n    pass\n",
        "default `(1, set())` of 'wire' would be computed when the file is loaded; write a literal or a constant of the file",
    ),
    ("def wire(network):\n    pass\n§wire(None)\n", f"statement outside a hook; {ONLY}"),
    ("§if True:\n    K = 3\n", f"statement outside a hook; {ONLY}"),
    ("K = §__import__('os')\n", "not an integer constant; write an integer, or + - * of integers"),
]


@pytest.mark.parametrize(
    ("source", "text"),
    [*UNGATED, *ALIASES, *HOST],
    ids=[repr(source)[:60] for source, _ in [*UNGATED, *ALIASES, *HOST]],
)
def test_settings_and_host_code_are_refused(source: str, text: str) -> None:
    refused(source, text)


@pytest.mark.parametrize(("source", "text"), FILES, ids=[repr(source)[:60] for source, _ in FILES])
def test_file_is_refused(source: str, text: str) -> None:
    refused(source, text)


@pytest.mark.parametrize(("source", "text"), CLASSES, ids=[repr(source)[:60] for source, _ in CLASSES])
def test_class_is_refused(source: str, text: str) -> None:
    refused(source, text)


@pytest.mark.parametrize(("source", "text"), GATES, ids=[repr(source)[:60] for source, _ in GATES])
def test_gate_is_refused(source: str, text: str) -> None:
    refused(source, text)

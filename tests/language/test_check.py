"""What is proved of a program that fits: reach of every register, whether 32 bits suffice, operations by class."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from neuroemu.chip.chip import Chip, load_chip, parse_chip
from neuroemu.chip.width import Bits
from neuroemu.language.check import HookProof, Proof, check_program
from neuroemu.language.interval import INT32, INT64, Interval
from neuroemu.language.isa import MAX_BATCH, MAX_TICKS
from neuroemu.language.program import parse_program

LOIHI, GENERIC = load_chip("loihi1"), load_chip("generic45")
HELPERS = "K = 7\ndef peek(row, i):\n    return row[clamp(i, 0, 3)]\ndef half(x):\n    return shift_floor(x, 1)\n"
ARGUMENTS = "w: State(8), n: Param(0, 9), k: Param(0, 40), t: Table(4, -50, 60), key: Key, tick: Input, w_width: Width"


def proved(source: str, chip: Chip = GENERIC, known: Mapping[str, Interval] | None = None) -> Proof:
    """The proof of the file's one program."""
    return check_program(parse_program(source, "p.py", "p"), chip, known)


def soma(statement: str) -> HookProof:
    """The proof of a soma of one statement, which writes the 2-bit register v."""
    return proved(f"{HELPERS}def soma(v: State(2), {ARGUMENTS}):\n    {statement}\n    return v\n").hooks["soma"]


REACHES = [
    ("v = w", (-128, 127)),
    ("v = w + w", (-256, 254)),
    ("v = w - w", (-255, 255)),
    ("v = w * n", (-1152, 1143)),
    ("v = w * w", (-16256, 16384)),
    ("v = -w", (-127, 128)),
    ("v = abs(w)", (0, 128)),
    ("v = K + SPIKE + ERROR", (8, 8)),
    ("v = t[3]", (-50, 60)),
    ("v = peek(t, w)", (-50, 60)),
    ("v = half(w) + half(n)", (-64, 67)),
    ("v = tick", (0, MAX_TICKS - 1)),
    ("v = uniform(key, 0, 5)", (0, 31)),
    ("v = shift_stochastic(w, 2, key, 0)", (-32, 32)),
    ("v = fit(w * 9, w_width)", (-128, 127)),
    ("v = fit(n, w_width)", (0, 9)),
    ("v = fit(n - 200, w_width)", (-128, -128)),
    ("v = min(w, n, 5)", (-128, 5)),
    ("v += w; v += w", (-258, 255)),
    # both branches, with what the test says of each
    ("v = w if w > 5 else 9", (6, 127)),
    ("v = 9 if w > 5 else w", (-128, 9)),
    ("v = w if w >= n else 100", (0, 127)),
    ("v = w if n >= w else -200", (-200, 9)),
    ("v = w if w == 50 else 60", (50, 60)),
    ("v = 60 if w != 50 else w", (50, 60)),
    ("v = n if n else 30", (1, 30)),
    ("v = n if not n else 30", (0, 30)),
    ("v = w if w > 5 and w < 100 else 50", (6, 99)),
    ("v = 50 if w <= 5 or w >= 100 else w", (6, 99)),
    ("v = w if (w > 5) and n else 50", (6, 127)),
    ("v = 5 if w > 200 else 20", (20, 20)),
    ("v = 5 if w < 200 else 20", (5, 5)),
    ("v = w if 0 < w < 9 else 20", (1, 20)),
    ("v = 20 if 0 < w < 9 else w", (-128, 127)),
    ("v = 3 if w > 5 and w < 5 else 20", (20, 20)),
    ("v = w if (w > 0 if n else w > 9) else 20", (-128, 127)),
]


@pytest.mark.parametrize(("statement", "reach"), REACHES, ids=[statement for statement, _ in REACHES])
def test_reach(statement: str, reach: tuple[int, int]) -> None:
    (overflow,) = soma(statement).overflows
    assert (overflow.register, overflow.width) == ("v", Bits(2, 0))
    assert overflow.reach == reach


def test_a_branch_that_narrowed_nothing_keeps_what_was_known_before() -> None:
    source = "def soma(v: State(2), w: State(8)):\n    x = w if w > 0 else 5\n    v = w + x\n    return v\n"
    assert proved(source).hooks["soma"].overflows[0].reach == (-127, 254)


def test_what_fits_is_not_listed() -> None:
    assert soma("v = 1 if w > 3 else -2").overflows == ()
    assert soma("v = clamp(w, -2, 1)").overflows == ()


def test_overflows_are_said_in_words() -> None:
    source = "def soma(v: State(20), u: State):\n    v = v + u\n    u = u + 1\n    return u, v\n"
    assert [str(overflow) for overflow in proved(source, LOIHI).hooks["soma"].overflows] == [
        "u wraps at 24 bits, its value can reach -8388607..8388608",
        "v saturates at 20 bits, its value can reach -8912896..8912894",
    ]


WIDE = [
    ("v = w * w * w * w", True),
    ("v = w * w * w * w * 7", True),
    ("v = w * w * w * w * 8", False),  # 2**31
    ("v = clamp(w * 20000000, 0, 1)", False),  # the way there counts, not only the result
    ("v = 3000000000 - 3000000000", False),
    ("v = 1 if w > 3000000000 else 0", False),
    ("v = shift_left(w, n)", True),
    ("v = shift_left(1, k)", False),
    ("v = shift_floor(w, k)", False),  # a 32-bit shift by 40 is undefined
    ("v = shift_floor(w, 30)", True),
    ("v = shift_floor(w, 31)", False),
    ("v = shift_round(2147483640, 3)", True),
    ("v = shift_round(2147483640, 4)", False),
    ("v = abs(-2147483647)", True),
    ("v = shift_zero(-2147483647 - 1, 1)", False),
    ("v = decay_to_zero(-2147483647, 1)", True),
    ("v = shift_stochastic(w, 30, key, 0)", True),
    ("v = shift_stochastic(2147483640, 4, key, 0)", False),
    ("v = uniform(key, 0, 30)", True),
    ("v = uniform(key, 0, 31)", False),
]


@pytest.mark.parametrize(("statement", "fits"), WIDE, ids=[statement for statement, _ in WIDE])
def test_whether_32_bits_suffice(statement: str, fits: bool) -> None:
    assert soma(statement).fits_int32 is fits


OPERATIONS = [
    ("v = w", {}),
    ("v = 5 + -3", {"add": 1}),
    ("v = -w * n - 1", {"add": 2, "multiply": 1}),
    ("v -= w * w", {"add": 1, "multiply": 1}),
    ("v = w * 2 if w > n else w + 1", {"multiply": 1, "add": 1, "compare": 1}),  # both branches: silicon has both
    ("v = w if n else 0", {}),
    ("v = 1 if 0 < w < n else 0", {"compare": 2}),
    ("v = 1 if not (w > 1 and n) or w < -w else 0", {"compare": 2, "add": 1}),
    ("v = 1 if (w > 1 if n > 2 else w > 3) else 0", {"compare": 3}),
    ("v = 1 if (2 if w > 1 else 3) > n + 1 else 0", {"compare": 2, "add": 1}),
    ("v = t[0] + peek(t, w)", {"lookup": 2, "compare": 2, "add": 1}),
    ("v = half(half(w)) + half(n)", {"shift": 3, "add": 1}),
    ("v = min(w, n) + max(w, n, 3, 4)", {"compare": 4, "add": 1}),
    ("v = abs(w)", {"add": 1}),
    ("v = fit(clamp(w, 0, n), w_width)", {"compare": 4}),
    ("v = decay_to_zero(w, n)", {"add": 2, "multiply": 1, "shift": 1}),
    ("v = shift_left(w, 1) + shift_floor(w, 1)", {"shift": 2, "add": 1}),
    ("v = shift_zero(w, 1) + shift_round(w, 1)", {"shift": 2, "add": 3}),
    ("v = shift_away(w, 1) + leading_one(w)", {"shift": 1, "add": 3, "lookup": 1}),
    ("v = uniform(key, 0, 3) + shift_stochastic(w, 2, key, 1)", {"random": 2, "add": 2, "shift": 1}),
]


@pytest.mark.parametrize(("statement", "counts"), OPERATIONS, ids=[statement for statement, _ in OPERATIONS])
def test_operations_are_counted_by_class(statement: str, counts: dict[str, int]) -> None:
    zeros = dict.fromkeys(("add", "multiply", "compare", "shift", "lookup", "random"), 0)
    assert soma(statement).operations == zeros | counts


# ---- what the chip and the image say
def test_widths_are_the_chips_unless_the_program_asks_for_fewer_bits() -> None:
    source = (
        "def soma(u: State, v: State(9), n: State, s: Sum):\n"
        "    spike = 1\n    spike_payload = v\n    s = s + v\n    return u, v, n, s, spike, spike_payload\n"
    )
    assert proved(source).widths == {
        "u": Bits(32, 0), "v": Bits(9, 0), "n": Bits(32, 0), "s": Bits(64, 0), "spike_payload": Bits(32, 0),
    }  # fmt: skip
    small = "def soma(u: State(10), v: State):\n    return u, v\n"
    assert proved(small, LOIHI).widths == {"u": Bits(10, 1), "v": Bits(24, 0)}


def test_a_width_argument_is_its_registers_width_on_the_chip() -> None:
    source = "def soma(v: State, u: State, u_width: Width):\n    v = fit(v * 9, u_width)\n    return v\n"
    assert proved(source, LOIHI).hooks["soma"].overflows == ()
    assert proved(source.replace("u: State", "u: State(30)")).hooks["soma"].overflows == ()
    wider = parse_chip(LOIHI.text.replace("u      = { bits = 24", "u      = { bits = 26"), "mine.toml")
    assert proved(source, wider).hooks["soma"].overflows[0].reach == (-(1 << 25), (1 << 25) - 1)


def test_a_payload_is_narrowed_to_what_the_chip_carries() -> None:
    source = "def soma(v: State):\n    spike = 1\n    spike_payload = v + v\n    return v, spike, spike_payload\n"
    assert [str(overflow) for overflow in proved(source).hooks["soma"].overflows] == [
        "spike_payload saturates at 32 bits, its value can reach -4294967296..4294967294"
    ]
    assert proved("def soma(v: State):\n    spike = 9 * v\n    return v, spike\n", LOIHI)  # a flag has no width


INPUTS = [
    ("soma", "drive: Port", "drive", (-(1 << 21), (1 << 21) - 1)),
    ("soma", "phase: Input", "phase", (0, 255)),
    ("soma", "phase_tick: Input", "phase_tick", (0, MAX_TICKS - 1)),
    ("soma", "threshold: Param", "threshold", (0, 8388544)),  # the datasheet's
    ("soma", "decay_u: Param(100, 9000)", "decay_u", (100, 4096)),
    ("soma", "decay_u: Param(5000, 9000)", "decay_u", (5000, 9000)),
    ("soma", "a: Param", "a", INT32),
    ("soma", "t: Table(4)", "t[1]", INT32),
    ("modulate", "value: Input", "value", INT32),
    ("settle", "fire_won: Input, s: Switch", "fire_won + s", (0, 2)),
]


@pytest.mark.parametrize(("hook", "arguments", "expression", "reach"), INPUTS, ids=[i[1] for i in INPUTS])
def test_what_an_argument_can_be(hook: str, arguments: str, expression: str, reach: tuple[int, int]) -> None:
    source = f"def {hook}(v: State(2), {arguments}):\n    v = {expression} - 9\n    return v\n"
    low, high = proved(source, LOIHI).hooks[hook].overflows[0].reach
    assert (low + 9, high + 9) == reach


def test_rule_inputs() -> None:
    source = "def arrive(x: Pre(2), payload: Input, channel: Input):\n    x = payload * 10 + channel\n    return x\n"
    assert proved(source).hooks["arrive"].overflows[0].reach == (INT32.low * 10, INT32.high * 10 + 5)
    source = "def tick_post(y: PostState(2), fired: Input):\n    y = 10 * fired\n    return y\n"
    assert proved(source).hooks["tick_post"].overflows[0].reach == (0, 10)
    source = "def fire_synapse(e: State(2), v: Post(6), n: Post(5)):\n    e = v * 100 + n\n    return e\n"
    assert proved(source).hooks["fire_synapse"].overflows[0].reach == (-3216, 3115)
    posts = {"v": Bits(8, 0), "n": Bits(4, 1)}  # what the destination's soma really has
    proof = check_program(parse_program(source, "p.py", "p"), GENERIC, posts=posts)
    assert proof.hooks["fire_synapse"].overflows[0].reach == (-12808, 12707)


def test_an_image_narrows_parameters_and_ports() -> None:
    source = "def soma(v: State(2), drive: Port, a: Param):\n    v = v + drive * a\n    return v\n"
    known = {"drive": Interval(-3, 3), "a": Interval(5, 5), "v": Interval(0, 0)}
    hook = proved(source, LOIHI, known).hooks["soma"]
    assert hook.overflows[0].reach == (-17, 16)  # a register is never narrowed
    assert hook.fits_int32
    assert not proved(source, LOIHI).hooks["soma"].fits_int32


# ---- sums: all a commit can find in them
COMMIT = "def {}(w: Weight(2), s: Sum, batch: Input):\n    w = s\n    return w\n"
SUMS = [
    ("def end(s: Sum, n: State(8)):\n    s = s + n\n    return s\n", "commit", (-128 * MAX_BATCH, 127 * MAX_BATCH)),
    ("def end(s: Sum):\n    s += 3\n    return s\n", "commit", (0, 3 * MAX_BATCH)),  # perhaps it is never called
    ("def soma(s: Sum):\n    s += 3\n    return s\n", "commit", (0, 3 * MAX_BATCH * MAX_TICKS)),
    (
        "def soma(s: Sum):\n    s += 3\n    return s\ndef end(s: Sum):\n    s -= 7\n    return s\n",
        "commit",
        (-7 * MAX_BATCH, 3 * MAX_BATCH * MAX_TICKS),
    ),
    ("def end_synapse(s: Sum):\n    s -= 5\n    return s\n", "commit_synapse", (-5 * MAX_BATCH, 0)),
    ("def arrive_synapse(s: Sum):\n    s += 1\n    return s\n", "commit_synapse", (0, 6 * MAX_BATCH * MAX_TICKS)),
    ("", "commit", (0, 0)),
]


@pytest.mark.parametrize(("hooks", "commit", "reach"), SUMS, ids=[hooks for hooks, _, _ in SUMS])
def test_a_sum_is_all_that_every_hook_can_add(hooks: str, commit: str, reach: tuple[int, int]) -> None:
    hook = proved(hooks + COMMIT.format(commit).replace("w = s", "w = s * 2 + 900")).hooks[commit]
    assert hook.overflows[0].reach == (2 * reach[0] + 900, 2 * reach[1] + 900)
    assert not hook.fits_int32  # a sum is stored in 64 bits


def test_a_batch_is_at_least_one_presentation() -> None:
    source = "def commit(w: Weight(2), batch: Input):\n    w = batch\n    return w\n"
    assert proved(source).hooks["commit"].overflows[0].reach == (1, MAX_BATCH)


def test_64_bits_are_enough_up_to_the_last_one() -> None:
    source = "def soma(v: State(2)):\n    v = shift_left(-1, 62) - 4611686018427387904\n    return v\n"
    assert proved(source).hooks["soma"].overflows[0].reach == (INT64.low, INT64.low)

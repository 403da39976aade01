"""What cannot be proved for a chip is refused, with the place (marked § in the snippet), the range and the way out."""

from __future__ import annotations

import pytest
from fails import fails
from marked import marked

from neuroemu.base.errors import FirmwareError
from neuroemu.chip.chip import load_chip
from neuroemu.language.check import check_program
from neuroemu.language.program import parse_program

LOIHI, GENERIC = load_chip("loihi1"), load_chip("generic45")


def refused(source: str, text: str, chip: str = "generic45") -> None:
    """The marked source is read, but refused for the chip with this text, at the mark."""
    clean, place = marked(source)
    program = parse_program(clean, "p.py", "p")
    with fails(FirmwareError, place + text):
        check_program(program, load_chip(chip))


STATEMENTS = [
    (
        "v = §v * v * v",
        "`v * v * v` can reach -9903520314283042199192993792..9903520309671356180765605888, past 64 bits on generic45; "
        "narrow an operand with fit or clamp, or shift it first",
    ),
    (
        "v = clamp(1 + §v * v * 3, 0, 1)",
        "`v * v * 3` can reach -13835058048839712768..13835058055282163712, past 64 bits on generic45; "
        "narrow an operand with fit or clamp, or shift it first",
    ),
    (
        "v *= 4000000000; §v *= 4000000000",
        "`v * 4000000000` can reach -34359738368000000000000000000..34359738352000000000000000000, past 64 bits on generic45; "
        "narrow an operand with fit or clamp, or shift it first",
    ),
    (
        "v = §shift_left(v, 40)",
        "`shift_left(v, 40)` can reach -2361183241434822606848..2361183240335310979072, past 64 bits on generic45; "
        "narrow an operand with fit or clamp, or shift it first",
    ),
    (
        "v = shift_left(w, §a)",
        "`a` can be -5..70, shift_left takes 0..62; declare the parameter's range, Param(low, high), or clamp it",
    ),
    (
        "v = shift_floor(w, §v + 1)",
        "`v + 1` can be -2147483647..2147483648, shift_floor takes 0..62; declare the parameter's range, Param(low, high), "
        "or clamp it",
    ),
    (
        "v = shift_stochastic(w, §a, key, 0)",
        "`a` can be -5..70, shift_stochastic takes 0..62; declare the parameter's range, Param(low, high), or clamp it",
    ),
    (
        "v = uniform(key, w, §63)",
        "`63` can be 63..63, uniform takes 0..62; declare the parameter's range, Param(low, high), or clamp it",
    ),
    (
        "v = decay_to_zero(v, §b)",
        "`b` can be -2147483648..2147483647, decay_to_zero takes 0..4096; declare the parameter's range, Param(low, high), "
        "or clamp it",
    ),
    (
        "v = §shift_round(9223372036854775807, 3)",
        "`shift_round(9223372036854775807, 3)` reaches 9223372036854775811..9223372036854775811 on the way, "
        "past 64 bits on generic45; narrow its operand first",
    ),
    (
        "v = §abs(-9223372036854775807 - 1)",
        "`abs(-9223372036854775807 - 1)` can reach 9223372036854775808..9223372036854775808, past 64 bits on generic45; "
        "narrow an operand with fit or clamp, or shift it first",
    ),
    ("v = §t[w]", "index of 't' can be -128..127, the table has entries 0..3; clamp the index"),
    ("v = 1 + §t[clamp(w, 0, 4)]", "index of 't' can be 0..4, the table has entries 0..3; clamp the index"),
    ("v = peek(t, §w)", "index of 'row' can be -128..127, the table has entries 0..3; clamp the index"),
    ("v = §w[0]", "'w' is not a table; declare it Table(length)"),
    ("v = w + §t", "table 't' used as a number; write t[index]"),
    ("v = 1 if §t else 0", "table 't' used as a number; write t[index]"),
    ("v = w + §key", "key 'key' used as a number; pass it to uniform or shift_stochastic"),
    ("v = 3 if §key > 5 else 4", "key 'key' used as a number; pass it to uniform or shift_stochastic"),
    ("v = max(w, §v_width)", "width 'v_width' used as a number; pass it to fit"),
    ("v = uniform(§w, 0, 3)", "'uniform' needs the hook's key here; declare an argument `key: Key` and pass it"),
    ("v = uniform(§7, 0, 3)", "'uniform' needs the hook's key here; declare an argument `key: Key` and pass it"),
    (
        "v = shift_stochastic(w, 3, §w + 1, 0)",
        "'shift_stochastic' needs the hook's key here; declare an argument `key: Key` and pass it",
    ),
    ("v = fit(w, §12)", "fit needs a width; declare an argument `<register>_width: Width` and pass it"),
    ("v = fit(w, §key)", "fit needs a width; declare an argument `<register>_width: Width` and pass it"),
    (
        "v = fit(w, §v_width if w else w_width)",
        "fit needs a width; declare an argument `<register>_width: Width` and pass it",
    ),
]


@pytest.mark.parametrize(("statement", "text"), STATEMENTS, ids=[statement for statement, _ in STATEMENTS])
def test_statement_cannot_be_proved(statement: str, text: str) -> None:
    arguments = (
        "v: State(32), w: State(8), a: Param(-5, 70), b: Param, t: Table(4), key: Key, v_width: Width, w_width: Width"
    )
    source = f"def soma({arguments}):\n    {statement}\n    return v\n"
    if "peek" in statement:  # the place is in the helper, whose argument cannot be proved
        source = f"def peek(row, i):\n    return §row[i]\n{source.replace('§', '')}"
    refused(source, text)


@pytest.mark.parametrize("spoiled", ["t = 1", "key = 1", "width = 1"])
def test_a_helper_that_gives_its_table_key_or_width_another_value_has_none(spoiled: str) -> None:
    name = spoiled.partition(" ")[0]
    use, text = {
        "t": ("§t[0]", "'t' is not a table; declare it Table(length)"),
        "key": (
            "uniform(§key, 0, 3)",
            "'uniform' needs the hook's key here; declare an argument `key: Key` and pass it",
        ),
        "width": (
            "fit(3, §width)",
            "fit needs a width; declare an argument `<register>_width: Width` and pass it",
        ),
    }[name]
    arguments = {"t": "t: Table(4)", "key": "key: Key", "width": "v_width: Width"}[name]
    given = arguments.partition(":")[0]
    helper = f"def use({name}):\n    {spoiled}\n    return {use}\n"
    refused(f"{helper}def soma(v: State(8), {arguments}):\n    v = use({given})\n    return v\n", text)


HOOKS = [
    # registers and the chip
    (
        "def soma(v: State, §n: Keep):\n    return v, n\n",
        "loihi1 has no register 'n'; add keep to [core.registers] of its datasheet, or choose a chip that has it, such as generic45",
    ),
    ("def soma(§n: State):\n    return n\n", "loihi1 has no register 'n'; add state to [core.registers] of its datasheet, or "
"choose a chip that has it, such as generic45"),
    (
        "def arrive(§y: PreKeep):\n    return y\n",
        "loihi1 has no register 'y'; add pre_keep to [core.registers] of its datasheet, or choose a chip that has it, such as generic45",
    ),
    (
        "def tick_post(§y: PostState(8)):\n    return y\n",
        "'y' asks for 8 bits, loihi1 has 7; ask for 7 or fewer",
    ),
    ("def soma(§v: State(25)):\n    return v\n", "'v' asks for 25 bits, loihi1 has 24; ask for 24 or fewer"),
    ("def tick_pre(§x: Pre(8)):\n    return x\n", "'x' asks for 8 bits, loihi1 has 7; ask for 7 or fewer"),
    (
        "def tick_pre(§x: Pre(7, init=64)):\n    return x\n",
        "'x' starts at 64, its 7 bits hold -64..63; start within",
    ),
    (
        "def soma(v: State):\n    spike = 1\n    spike_payload = v\n    §return v, spike, spike_payload\n",
        "'spike_payload' is returned, no source states a graded payload for loihi1; "
        "send no payload, or choose a chip that carries one, such as generic45",
    ),
    (
        "def soma(v: State, §w_width: Width):\n    v = fit(v, w_width)\n    return v\n",
        "width 'w_width' belongs to no register; call it <register>_width after a register of this program",
    ),
    (
        "def soma(v: State, §bits: Width):\n    v = fit(v, bits)\n    return v\n",
        "width 'bits' belongs to no register; call it <register>_width after a register of this program",
    ),
    # sums
    (
        "def end(v: State, §s: Sum):\n    v = s\n    return v\n",
        "sum 's' is read before the commit; add to it and return it, or read it in commit_synapse",
    ),
    (
        "§def end(v: State, s: Sum):\n    s = v\n    return s\n",
        "sum 's' is not written once as s = s + ..., or is read elsewhere; the order of writers may not matter",
    ),
    (
        "§def end(v: State, s: Sum):\n    s = max(s, v)\n    return s\n",
        "sum 's' is not written once as s = s + ..., or is read elsewhere; the order of writers may not matter",
    ),
    (
        "def end(v: State, s: Sum):\n    s = s + shift_left(v, 25)\n    §return s\n",
        "sum 's' can grow by -281474976710656..281474943156224 at a time, past 64 bits over 65536 calls; "
        "shift or clamp what is added",
    ),
    (
        "def soma(v: State, s: Sum):\n    s += shift_left(v, 5)\n    §return s\n",
        "sum 's' can grow by -268435456..268435424 at a time, past 64 bits over 68719476736 calls; "
        "shift or clamp what is added",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), HOOKS, ids=[source.partition("\n")[0] for source, _ in HOOKS])
def test_hook_does_not_fit_loihi1(source: str, text: str) -> None:
    refused(source, text, "loihi1")


NOT_ADDITIVE = [
    "n = e",
    "n = e - n",
    "n = n * e",
    "n *= 2",
    "n = n + n",
    "n += n",
    "n = max(e, n)",
    "n = n + 1 if e else n",
]
NOT_ADDITIVE += [
    "n = n + 1; n = n + e",
    "n = n + 1; e = n",
    "n = e + (n + 1)",
    "n = clamp(n, 0, e)",
    "n = n + twice(n)",
]


@pytest.mark.parametrize("statement", NOT_ADDITIVE)
def test_a_post_register_is_written_only_so_that_no_order_matters(statement: str) -> None:
    refused(
        "def twice(x):\n    return x + x\n"
        f"§def arrive_synapse(e: State(8), n: Post):\n    {statement}\n    return e, n\n",
        "post register 'n' is not written once as n = n + ... or n = max(n, ...) or n = min(n, ...), or is read elsewhere; "
        "the order of writers may not matter",
    )


@pytest.mark.parametrize(
    "statement",
    ["n = n + e", "n = n - e + 3 - twice(e)", "n += 1 if e > 0 else 2", "n -= e", "n = max(n, e, 3)", "n = min(n, -e)"],
)
def test_a_post_register_may_be_added_to_or_be_an_extreme(statement: str) -> None:
    source = f"def twice(x):\n    return x + x\ndef arrive_synapse(e: State(8), n: Post):\n    {statement}\n    return e, n\n"
    assert check_program(parse_program(source, "p.py", "p"), GENERIC).hooks["arrive_synapse"]


def test_a_sum_that_two_hooks_add_to_must_have_room_for_both() -> None:
    soma = "def soma(s: Sum, v: State(28)):\n    s = s + v\n    return s\n"
    end = "def end(s: Sum, n: State):\n    s = s - shift_left(n, 15)\n    return s\n"
    for alone in (soma, end):
        check_program(parse_program(alone, "p.py", "p"), GENERIC)
    refused(
        soma + end.replace("return", "§return"),
        "sum 's' can grow by -70368744144896..70368744177664 at a time, past 64 bits over 65536 calls; "
        "shift or clamp what is added",
    )


def test_a_parameter_without_range_takes_that_of_the_datasheet() -> None:
    source = "def soma(v: State, decay_v: Param):\n    v = decay_to_zero(v, §decay_v)\n    return v\n"
    check_program(parse_program(source.replace("§", ""), "p.py", "p"), LOIHI)
    refused(
        source,
        "`decay_v` can be -2147483648..2147483647, decay_to_zero takes 0..4096; "
        "declare the parameter's range, Param(low, high), or clamp it",
    )


def test_helpers_that_double_with_every_level_are_refused_soon() -> None:
    levels = "".join(f"def h{k + 1}(x):\n    return h{k}(h{k}(x))\n" for k in range(40))
    source = f"def h0(x):\n    return x + 1\n{levels}def soma(v: State(8)):\n    v = h40(v)\n    return v\n"
    text = "hook computes more than 20000 values, helpers counted as often as they are called; make it shorter"
    with pytest.raises(FirmwareError) as caught:
        check_program(parse_program(source, "p.py", "p"), GENERIC)
    assert str(caught.value).partition(": ")[2] == text

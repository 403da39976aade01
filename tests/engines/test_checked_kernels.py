"""The checked interpreter catches what it is for: kernels mutated on purpose, each by the line and the fault it must name."""

from __future__ import annotations

from functools import cache

import exact
import numpy as np
import pytest
from cases import CASES
from exact import Array, Cast, FaultError, Int8, Int32, Int64, UInt8, UInt64, counting, empty, zeros
from fails import fails
from kernels import KernelFaultError, checked, interpreted, plain

import neuroemu as ne
from neuroemu.engines.job import Job, silent
from neuroemu.engines.kernel.kernel import generate
from neuroemu.engines.kernel.layout import Layout
from neuroemu.engines.kernel.writer import needed
from neuroemu.image.memory import Memory


# ---- mutants
@cache
def built() -> tuple[ne.Image, ne.Stimulus]:
    """Dense and sparse, payloads, a rule with every synapse hook, saturation."""
    case = CASES["graded"](np.random.default_rng([0, *b"graded"]))
    return case.image(), case.stimulus()


def mutated(old: str, new: str) -> None:
    """Run the kernel with the first ``old`` in its text exchanged."""

    def load(text: str) -> object:
        assert old in text
        return checked(text.replace(old, new, 1))

    with interpreted(load):
        ne.run(*built(), engine="cpu", workers=1, plastic=True, commit_every=2, seed=7)


def test_the_kernel_as_it_is_has_no_fault() -> None:
    mutated("next_one = hi", "next_one = hi")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        pytest.param(
            "+= i64(q1_row0[i]) + i64(",
            "+= q1_row0[i] + (",
            r"kernel line \d+, in deliver_q1_spike: `p1_total_drive\[i\] \+= q1_row0\[i\] .*`: "
            "int8 \\+ int8: narrow operands, which Numba would widen; cast them",
            id="a cast dropped: a sum of narrow weights",
        ),
        pytest.param(
            "active += i64(p1_touched[i])",
            "active += p1_touched[i]",
            r"kernel line \d+, in soma_p1: `active \+= p1_touched\[i\]`: "
            "uint8 \\+ 0: a narrow operand, which Numba would widen; cast it",
            id="a cast dropped: a narrow count",
        ),
        pytest.param(
            "j = u64(h0_neuron[e])\n            for k",
            "j = h0_neuron[e]\n            for k",
            r"kernel line \d+, in deliver_q0_input: `for k in range\(u64\(q0_indptr\[d, j\]\), u64\(q0_indptr\[d, j \+ u64\(1\)\]\)\):`: "
            "int32 \\+ uint64: signed and unsigned; cast one of them",
            id="a cast dropped: a signed index",
        ),
        pytest.param(
            "q0_indptr[d, j + u64(1)]",
            "q0_indptr[d, j + u64(2)]",
            r"kernel line \d+, in deliver_q0_input: `for k in range.*`: index 10 of an axis of 10",
            id="an index one too far",
        ),
        pytest.param(
            "for i in range(u64(0), u64(7)):\n            port_drive",
            "for i in range(u64(0), u64(8)):\n            port_drive",
            r"kernel line \d+, in soma_p1: `port_drive = .*`: index 7 of an axis of 7",
            id="a loop one too long",
        ),
        pytest.param(
            "y4 = i4(clamp_i4(q0tick_post_y, i4(-2048), i4(2047)))",
            "y4 = i4(q0tick_post_y * i4(1000))",
            r"kernel line \d+, in rules_q0: `q0__y\[i\] = y4`: what is stored is -?\d+, and int16 holds -32768 to 32767",
            id="a store too wide",
        ),
        pytest.param(
            "y4 = i4(clamp_i4(q0tick_post_y, i4(-2048), i4(2047)))",
            "y4 = i4(q0tick_post_y * i4(1 << 30))",
            r"kernel line \d+, in rules_q0: `y4 = .*`: \d+ \* 1073741824 is \d+, and int32 holds -2147483648 to 2147483647",
            id="32-bit arithmetic that does not fit",
        ),
        pytest.param(
            "        for f1 in range(u64(0), u64(9)):\n            q0__x[f0, f1] = 0",
            "        for f1 in range(u64(1), u64(9)):\n            q0__x[f0, f1] = 0",
            r"kernel line \d+, in tick_pre_q0: `q0tick_pre_x = i4\(q0__x\[d, j\]\)`: reads an element that was never stored",
            id="an element that begins as it happens to be",
        ),
        pytest.param(
            "        if tick >= late:\n            e1 = p1_count_spike[slot]",
            "        if tick >= late:\n            e2 = p1_count_spike[slot]\n            e1 = e2\n        e0 = e2 - e2",
            r"kernel line \d+, in deliver_q1_spike: `e0 = e2 - e2`: UnboundLocalError: cannot access local variable 'e2' .*",
            id="a name that a branch leaves unset",
        ),
        pytest.param(
            "u64(i64(seed))",
            "u64(-7)",
            r"kernel line \d+, in run: `base = .*`: what is cast to uint64 is -7, and uint64 holds 0 to 18446744073709551615",
            id="a negative constant as an unsigned number",
        ),
    ],
)
def test_a_mutated_kernel_is_caught(old: str, new: str, fault: str) -> None:
    with pytest.raises(KernelFaultError, match=f"^{fault}$"):
        mutated(old, new)


# ---- its integers
LOW, HIGH = -(1 << 63), (1 << 63) - 1


def test_results_have_the_types_of_numpy_and_its_values() -> None:
    """Where an operation is allowed, NumPy's scalars give the same number of the same type."""
    numbers = {"int32": [-7, 5], "int64": [-(1 << 40), 3], "uint64": [9, (1 << 64) - 2], "int16": [-3], "uint8": [200]}
    seen = 0
    for left in numbers:
        for right in numbers:
            for a in numbers[left]:
                for b in numbers[right]:
                    for symbol in ("+", "-", "*", "&", "|", "^", "%"):
                        both = {"a": exact.TYPES[left](a), "b": exact.TYPES[right](b)}
                        try:
                            found = eval(f"a {symbol} b", both)
                        except FaultError:
                            continue
                        scalars = {"a": np.dtype(left).type(a), "b": np.dtype(right).type(b)}
                        with np.errstate(over="ignore"):
                            expected = eval(f"a {symbol} b", scalars)
                        assert (int(found), found.dtype) == (int(expected), expected.dtype.name), (a, symbol, b)
                        seen += 1
    assert seen > 120


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("Int64(HIGH) + 1", f"{HIGH} + 1 is {HIGH + 1}, and int64 holds {LOW} to {HIGH}"),
        ("1 << Int64(63)", f"1 << 63 is {1 << 63}, and int64 holds {LOW} to {HIGH}"),
        ("Int64(1) << 64", "1 << 64: a distance outside 0 to 63"),
        ("Int64(1) >> -1", "1 >> -1: a distance outside 0 to 63"),
        (
            "Int32(5) * (1 << 31)",
            f"the constant beside a int32 is {1 << 31}, and int32 holds {-(1 << 31)} to {(1 << 31) - 1}",
        ),
        ("-Int64(LOW)", f"neg of {LOW} is {1 << 63}, and int64 holds {LOW} to {HIGH}"),
        ("abs(Int8(-5))", "abs of int8: cast it to a signed integer of 32 or 64 bits"),
        ("-UInt64(1)", "neg of uint64: cast it to a signed integer of 32 or 64 bits"),
        ("UInt64(1) + 1", "uint64 + 1: unsigned and a signed constant; cast one of them"),
        ("UInt64(1) + Int64(1)", "uint64 + int64: signed and unsigned; cast one of them"),
        ("UInt64(1) < Int64(1)", "uint64 compared with int64: signed and unsigned; cast one of them"),
        ("UInt64(1) == -1", "uint64 compared with -1: signed and unsigned; cast one of them"),
        ("Int64(4) / 2", "4 / 2: no operation of a kernel"),
        ("2 ** Int64(4)", "4 ** 2: no operation of a kernel"),
        ("Int64(4) + 0.5", "int64 + float: not an integer"),
        (
            "Cast('int32')(1 << 31)",
            f"what is cast to int32 is {1 << 31}, and int32 holds {-(1 << 31)} to {(1 << 31) - 1}",
        ),
        ("Cast('int64')(UInt64(1 << 63))", f"what is cast to int64 is {1 << 63}, and int64 holds {LOW} to {HIGH}"),
        ("Cast('int64')(2.0)", "int64 of float: not an integer"),
        ("counting(UInt8(3))", "range over uint8; cast its limits"),
        ("counting(UInt64(0), Int64(3))", "range over int64 and uint64; cast its limits alike"),
        ("zeros(3, Cast('int8'))[3]", "index 3 of an axis of 3"),
        ("zeros(3, Cast('int8'))[-1]", "index -1 of an axis of 3"),
        ("zeros(3, Cast('int8'))[1.0]", "index 1.0 is not an integer"),
        ("zeros(3, Cast('int8'))[0, 0]", "2 indices into 1 axes"),
        ("zeros(3, Cast('int8'))[1:4]", "part 1:4 of an axis of 3"),
        ("zeros((2, 3), Cast('int8'))[1][3]", "index 3 of an axis of 3"),
        ("empty(3, Cast('int8'))[1]", "reads an element that was never stored"),
        ("zeros(3, Cast('int8')).__setitem__(0, 128)", "what is stored is 128, and int8 holds -128 to 127"),
        ("zeros(3, Cast('uint8')).__setitem__(0, -1)", "what is stored is -1, and uint8 holds 0 to 255"),
        ("zeros(3, Cast('int8')).__setitem__(0, 1.0)", "stores float: not an integer"),
        ("zeros((2, 3), Cast('int8')).__setitem__(0, 1)", "stores into a part of an array; store element by element"),
    ],
)
def test_what_is_refused(expression: str, text: str) -> None:
    with fails(FaultError, text):
        eval(expression, globals())


def test_what_is_allowed() -> None:
    """Unsigned numbers of 64 bits wrap; a cast to them takes a signed one modulo 2**64; an element once stored is read."""
    assert UInt64((1 << 64) - 1) + UInt64(2) == UInt64(1)
    assert Cast("uint64")(Int64(-1)) == UInt64((1 << 64) - 1)
    assert [type(k) for k in counting(UInt64(1), UInt64(3))] == [UInt64, UInt64]
    assert list(counting(2)) == [0, 1]
    array = empty((2, 2), Cast("int16"))
    array[1, 0] = Int64(-9)
    array[1][1] = True if False else 4  # a row is a view
    assert (array[1, 0], array[1, 1], array.shape, len(array)) == (-9, 4, (2, 2), 2)
    assert type(array[1, 0]).__name__ == "Int16"
    assert int(Int32(-8) >> 40) == -1
    data = np.zeros(2, np.uint8)
    Array(data)[0] = UInt8(3)
    assert data.tolist() == [3, 0]
    assert Int8(3) > UInt8(2)
    assert zeros(2, Cast("int8"))[1] == 0


# ---- names
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = a + 1\ny = x", {"a"}),
        ("for i in range(n):\n    x = i\ny = x + i", {"range", "n", "x", "i"}),
        ("if t:\n    x = 1\ny = x", {"t", "x"}),
        ("if t:\n    x = 1\nelse:\n    x = 2\ny = x", {"t"}),
        ("while e < n:\n    e += 1\n    z = e\nq = z", {"e", "n", "z"}),
        ("a[i] = b", {"a", "i", "b"}),
        ("a[i] += b", {"a", "i", "b"}),
        ("x += 1", {"x"}),
        ("for i in range(3):\n    for j in range(i):\n        s = j\n        r = s", {"range"}),
        ("for i in range(3):", {"range"}),
    ],
)
def test_names_that_lines_need(text: str, names: set[str]) -> None:
    assert needed(text.split("\n")) == names


@pytest.mark.parametrize("learning", [True, False], ids=["learning", "evaluating"])
@pytest.mark.parametrize("name", CASES)
def test_no_name_of_a_kernel_may_be_unset(name: str, learning: bool) -> None:
    """By the text alone, whatever runs: what a function reads it was given, has stored before on every way, or is the module's."""
    case = CASES[name](np.random.default_rng([0, *name.encode()]))
    job = Job(case.image(), case.stimulus(), 0, learning, case.commit_every, 1, silent, Memory())
    functions = [part for part in generate(Layout(job))[0].split("\n\n") if "def " in part]
    own = {part.split("def ")[1].split("(")[0] for part in functions}
    given = {"i4", "i64", "u64", "np", "range", "abs", "min", "max", "len"}
    assert {"run", "begin", "give_back", "soma_p1"} & own
    for part in functions:
        head, *body = part[part.index("def ") :].rstrip().split("\n")
        arguments = head[head.index("(") + 1 : head.rindex(")")].split(", ")
        assert needed(body) <= {*arguments, *own, *given}, head[:40]


def test_text_runs_by_itself() -> None:
    """Nothing but the text: neither engine nor files, and no name but Python's few."""
    module = plain("from numba import njit\n\n@njit(cache=True)\ndef run(a, b):\n    return max(a, b)\n")
    assert module.run(3, 5) == 5
    with pytest.raises(NameError, match=r"^name 'open' is not defined$"):
        plain("def run():\n    return open('/dev/null')\n").run()

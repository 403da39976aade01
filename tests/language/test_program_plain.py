"""The lines a program becomes in a kernel, run by the interpreter: NumPy's scalars and checked integers give those of Python."""

from __future__ import annotations

import random

import numpy as np
import pytest
from compiled import LIBRARY
from kernels import checked, plain
from programs import REGISTERS, TABLE, Drawn, Generator

from neuroemu.base.shelf import folder
from neuroemu.chip.chip import load_chip, parse_chip
from neuroemu.language.check import check_program
from neuroemu.language.program import helper_source, hook_lines, parse_program, python_hooks

SATURATING = load_chip("generic45")
WRAPPING = parse_chip((folder("cores") / "generic45.toml").read_text().replace('"saturate"', '"wrap"'), "wrap.toml")
N, INPUTS = 80, 15


def text(drawn: Drawn) -> str:
    """A kernel that runs the program on every row of its arguments."""
    narrow = drawn.proof.hooks["soma"].fits_int32
    lines = [f"{name} = {'i4' if narrow else 'i64'}(rows[n, {k}])" for k, name in enumerate(drawn.ranges)]
    lines += hook_lines(drawn.program, "soma", "", {}, {"v_width": drawn.width}, narrow)
    lines += [f"out[n, {k}] = {name}" for k, name in enumerate(REGISTERS)]
    body = "\n".join(f"        {line}" for line in ["key = keys[n]", *lines])
    run = f"@njit\ndef run(rows, keys, t, out):\n    for n in range(rows.shape[0]):\n{body}\n    return 0"
    return "\n\n".join([LIBRARY, *helper_source(drawn.program), run])


def test_random_programs_give_the_integers_of_python() -> None:
    narrow, wrapped = 0, 0
    for seed in range(N):
        rng = random.Random(seed)
        drawn = Generator(rng, (SATURATING, WRAPPING)[seed // 2 % 2], small=seed % 2 == 0).draw()
        inputs = [drawn.inputs(rng) for _ in range(INPUTS)]
        keys = [rng.getrandbits(64) for _ in inputs]
        hook = python_hooks(drawn.program)["soma"]
        expected = [list(hook(*drawn.arguments(values, key))) for values, key in zip(inputs, keys, strict=True)]
        rows = np.array([list(values.values()) for values in inputs], np.int64)
        for load in (plain, checked):
            out = np.zeros((INPUTS, len(REGISTERS)), np.int64)
            load(text(drawn)).run(rows, np.array(keys, np.uint64), np.array(TABLE), out)
            assert out.tolist() == expected, (seed, load.__name__)
        narrow += drawn.proof.hooks["soma"].fits_int32
        wrapped += drawn.width.wraps and "fit(" in text(drawn)
    assert N // 4 < narrow < N * 3 // 4
    assert wrapped > N // 4


@pytest.mark.parametrize(
    ("statement", "bits", "narrow", "value"),
    [
        ("v = fit(a * 3, v_width)", 32, True, -21),  # a mask of 32 bits is no 32-bit integer
        ("v = fit(a * 3 + 3000000000 * s, v_width)", 32, False, -21),
        ("v = fit(a + 9223372036854775000 * s, v_width)", 64, False, -7),  # nor one of 64 a 64-bit one
        ("v = uniform(key, -2, 30)", 32, True, None),  # a draw's number may be negative, a key is not
        ("v = uniform(key, a, 30)", 32, True, None),
    ],
)
def test_integers_at_the_edges_of_their_types(statement: str, bits: int, narrow: bool, value: int | None) -> None:
    chip = parse_chip(WRAPPING.text.replace("v          = { bits = 32", f"v          = {{ bits = {bits}"), "wide.toml")
    source = f"def soma(v: State({bits}), a: Param(-9, 9), s: Param(0, 1), key: Key, v_width: Width):\n    {statement}\n    return v\n"
    program = parse_program(source, "p.py", "p")
    proof = check_program(program, chip)
    assert proof.hooks["soma"].fits_int32 == narrow
    assert proof.widths["v"] == (bits, 1)
    cast = "i4" if narrow else "i64"
    lines = [f"a = {cast}(rows[0])", f"s = {cast}(rows[1])", "key = keys[0]"]
    lines += hook_lines(program, "soma", "", {}, {"v_width": proof.widths["v"]}, narrow)
    kernel = "\n\n".join(
        [LIBRARY, "def run(rows, keys, out):\n    " + "\n    ".join([*lines, "out[0] = v", "return 0"])]
    )
    key = 0xFEDCBA9876543210
    expected = python_hooks(program)["soma"](0, -7, 0, key, proof.widths["v"])[0]
    assert value is None or expected == value
    for load in (plain, checked):
        out = np.zeros(1, np.int64)
        load(kernel).run(np.array([-7, 0]), np.array([key], np.uint64), out)
        assert int(out[0]) == expected != 0

"""Random programs the checker accepts do what it proved, folded and compiled too."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from unittest.mock import patch

import numpy as np
import pytest
from compiled import compiled, driver
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import REGISTERS, TABLE, Drawn, Generator
from tracked import Track

from neuroemu.chip.chip import load_chip
from neuroemu.language.check import check_program
from neuroemu.language.interval import INT32, INT64, Interval, of_bits
from neuroemu.language.isa import INTRINSICS
from neuroemu.language.program import NARROW_INTRINSICS, helper_source, hook_lines, python_hooks, specialize

GENERIC = load_chip("generic45")
SEEDS = st.integers(0, 1 << 40)
N_COMPILED, FIRST = 16, 64
"""Programs that are compiled, and the seed of the first: from there on they hold everything the language has."""


class Watched:
    """A soma that runs on tracked integers; what happens inside the intrinsics named ``plain`` is not looked at."""

    def __init__(self, drawn: Drawn, plain: tuple[str, ...]) -> None:
        self.drawn, self.track = drawn, Track()
        with patch.dict(INTRINSICS, {name: self.unseen(INTRINSICS[name]) for name in plain}):
            self.hook = python_hooks(drawn.program)["soma"]

    def unseen(self, function: Callable[..., int]) -> Callable[..., int]:
        return lambda *arguments: self.track(function(*(int(a) if isinstance(a, int) else a for a in arguments)))

    def __call__(self, values: dict[str, int], key: int) -> tuple[int, ...]:
        tracked = {name: self.track(value) for name, value in values.items()}
        return tuple(map(int, self.hook(*self.drawn.arguments(tracked, key))))


def check_proof(drawn: Drawn, rng: random.Random, times: int) -> None:
    """Run the soma on inputs in range: nothing may be outside what was proved."""
    proof = drawn.proof.hooks["soma"]
    reaches = {overflow.register: overflow.reach for overflow in proof.overflows}
    wide = tuple(name for name in INTRINSICS if name not in NARROW_INTRINSICS)  # in 64 bits always
    soma = Watched(drawn, wide if proof.fits_int32 else ())
    for _ in range(times):
        values = drawn.inputs(rng)
        for name, value in zip(REGISTERS, soma(values, rng.getrandbits(64)), strict=True):
            low, high = reaches.get(name, of_bits(drawn.proof.widths[name]))
            assert low <= value <= high, (name, values)
        assert Interval(soma.track.low, soma.track.high).within(INT32 if proof.fits_int32 else INT64), values


@given(SEEDS, st.booleans())
@settings(max_examples=150)
def test_nothing_leaves_what_was_proved(seed: int, small: bool) -> None:
    rng = random.Random(seed)
    check_proof(Generator(rng, GENERIC, small).draw(), rng, 12)


@given(SEEDS)
@settings(max_examples=60)
def test_folding_a_switch_changes_no_result_and_adds_no_operation(seed: int) -> None:
    rng = random.Random(seed)
    drawn = Generator(rng, GENERIC, small=True).draw()
    whole, counts = python_hooks(drawn.program)["soma"], drawn.proof.hooks["soma"].operations
    for value in (0, 1):
        program = specialize(drawn.program, {"s": value})
        proof = check_program(program, GENERIC)
        folded = Drawn(program, proof, drawn.ranges)
        assert all(proof.hooks["soma"].operations[kind] <= counts[kind] for kind in counts)
        hook = python_hooks(program)["soma"]
        for _ in range(6):
            values, key = drawn.inputs(rng) | {"s": value}, rng.getrandbits(64)
            assert hook(*folded.arguments(values, key)) == whole(*drawn.arguments(values, key))


# ---- compiled
@cache
def seeded(seed: int) -> Drawn:
    """The program of a seed; every other one small enough for 32 bits, mostly."""
    return Generator(random.Random(FIRST + seed), GENERIC, small=seed % 2 == 0).draw()


def _source(seed: int) -> str:
    drawn = seeded(seed)
    narrow = drawn.proof.hooks["soma"].fits_int32
    loads = [f"{name} = i4({name})" for name in drawn.ranges if narrow]
    lines = hook_lines(drawn.program, "soma", "", {}, {"v_width": drawn.width}, narrow)
    return driver(f"run{seed}", list(drawn.ranges), ["t = TABLE", *loads, *lines], REGISTERS)


@cache
def kernels() -> dict[str, Callable[..., None]]:
    """The compiled programs of all seeds."""
    table = f"TABLE = np.array({TABLE})"
    return compiled(table, *helper_source(seeded(0).program), *map(_source, range(N_COMPILED)))


@pytest.mark.parametrize("seed", range(N_COMPILED))
def test_compiled_program_gives_the_integers_of_python(seed: int) -> None:
    drawn, rng = seeded(seed), random.Random(-seed)
    inputs = [drawn.inputs(rng) for _ in range(300)]
    keys = [rng.getrandbits(64) for _ in inputs]
    out = np.zeros((len(inputs), len(REGISTERS)), np.int64)
    rows = np.array([list(values.values()) for values in inputs], np.int64)
    kernels()[f"run{seed}"](rows, np.array(keys, np.uint64), out)
    hook = python_hooks(drawn.program)["soma"]
    expected = [hook(*drawn.arguments(values, key)) for values, key in zip(inputs, keys, strict=True)]
    assert [tuple(row) for row in out.tolist()] == expected


def test_the_compiled_programs_are_worth_compiling() -> None:
    drawn = [seeded(seed) for seed in range(N_COMPILED)]
    narrow = [program.proof.hooks["soma"].fits_int32 for program in drawn]
    assert 4 <= sum(narrow) <= N_COMPILED - 4
    text = "\n".join(line for d in drawn for line in hook_lines(d.program, "soma", "", {}, {"v_width": d.width}, False))
    parts = ("min", "max", "abs", "blend", "noisy", " if ", " and ", " or ", "not ", "t[", " < ", " != ")
    for name in (*INTRINSICS, *parts):
        assert name in text, name
    statements = [len(d.program.hooks["soma"].node.body) - 1 for d in drawn]
    assert sum(statements) > 3 * N_COMPILED

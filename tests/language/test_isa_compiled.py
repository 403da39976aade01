"""The intrinsics as kernels have them, compiled by Numba from the text of isa.py: the same integers as in Python."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from compiled import compiled, driver

from neuroemu.language import isa
from neuroemu.language.interval import INT32, INT64
from neuroemu.language.isa import INTRINSICS, u64, unit_key
from neuroemu.language.program import NARROW_INTRINSICS

Row = tuple[int, ...]
N = 400
LONG, INT = INT64.high, INT32.high
SIGNATURES = {
    "clamp": "x, low, high",
    "shift_left": "x, k",
    "shift_floor": "x, k",
    "shift_zero": "x, k",
    "shift_round": "x, k",
    "shift_away": "x, k",
    "decay_to_zero": "x, decay",
    "fit": "x, (bits, wraps)",
    "leading_one": "x",
    "uniform": "key, draw, bits",
    "shift_stochastic": "x, k, key, draw",
}


def _near(rng: random.Random, most: int) -> int:
    """An integer up to ``most`` in size, of any magnitude, often at an end."""
    size = rng.choice([0, 1, most - 1, most, rng.randrange(1 << rng.randint(0, most.bit_length()))])
    return rng.choice([-1, 1]) * min(size, most)


def _rows(name: str, rng: random.Random, most: int) -> list[Row]:
    """Arguments in the intrinsic's domain: no intermediate leaves ``most``, which is what the checker proves."""
    distance = most.bit_length() - 1
    rows: list[Row] = []
    while len(rows) < N:
        k, x = rng.choice([0, 1, distance, rng.randint(0, distance)]), _near(rng, most)
        if name == "clamp":
            row: Row = (x, _near(rng, most), _near(rng, most))
        elif name == "decay_to_zero":
            row = (x, rng.choice([0, 1, 4095, 4096, rng.randint(0, 4096)]))
        elif name == "fit":
            row = (x, rng.choice([1, 2, 24, 32, 63, 64, rng.randint(1, 63)]), rng.randint(0, 1))
        elif name == "leading_one":
            row = (x,)
        elif name == "uniform":
            row = (_near(rng, 1000), k)
        elif name == "shift_left":
            row = (_near(rng, max(most >> k, 1)) if k < distance else rng.choice([-1, 0, 1]), k)
        elif name == "shift_stochastic":
            row = (_near(rng, most - (1 << k) + 1), k, _near(rng, 1000))
        else:  # shift_round and shift_away add half of what is lost
            row = (_near(rng, most - ((1 << k) >> 1)) if name in ("shift_round", "shift_away") else x, k)
        rows.append(row)
    return rows


def _expected(name: str, row: Row, key: int) -> int:
    function: Callable[..., int] = INTRINSICS[name]
    if name == "fit":
        return function(row[0], row[1:])
    if name == "uniform":
        return function(key, *row)
    if name == "shift_stochastic":
        return function(*row[:2], key, row[2])
    return function(*row)


def _sources() -> list[str]:
    sources = []
    for name, signature in SIGNATURES.items():
        arguments = [a for a in signature.replace("(", "").replace(")", "").split(", ") if a != "key"]
        sources.append(driver(f"all_{name}", arguments, [], [f"{name}({signature})"]))
        if name in NARROW_INTRINSICS:
            narrowed = ", ".join(f"i4({argument})" for argument in arguments)
            sources.append(driver(f"all_{name}_i4", arguments, [], [f"{name}_i4({narrowed})"]))
    return sources


LIBRARY = compiled(*_sources())


def test_every_intrinsic_is_compared() -> None:
    assert set(SIGNATURES) == set(INTRINSICS)


@pytest.mark.parametrize(
    ("name", "most"),
    [*((name, LONG) for name in SIGNATURES), *((name, INT) for name in NARROW_INTRINSICS)],
    ids=[*SIGNATURES, *(f"{name}_i4" for name in NARROW_INTRINSICS)],
)
def test_compiled_intrinsic_gives_the_integers_of_python(name: str, most: int) -> None:
    rng = random.Random(name)
    rows = _rows(name, rng, most)
    keys = np.array([rng.randrange(1 << 64) for _ in rows], np.uint64)
    out = np.zeros((len(rows), 1), np.int64)
    LIBRARY[f"all_{name}{'_i4' if most == INT else ''}"](np.array(rows, np.int64), keys, out)
    expected = [_expected(name, row, int(key)) for row, key in zip(rows, keys, strict=True)]
    assert out[:, 0].tolist() == expected
    assert len(set(expected)) > 10
    if name == "uniform":
        steps = [int(key) + row[0] * 0xD1B54A32D192ED03 for row, key in zip(rows, keys, strict=True)]
        assert sum(step != u64(step) for step in steps) > N / 2, "the hash never wrapped"


def test_compiled_keys_wrap_modulo_two_to_the_64_as_in_python() -> None:
    lines = ["here = site_key(tick_key(u64(seed), u64(presentation), u64(tick)), u64(site))"]
    lines += ["z = unit_key(here, u64(ident))"]
    names = ["seed", "presentation", "tick", "site", "ident"]
    run = compiled(driver("run", names, lines, ["i64(z >> u64(1))", "i64(z & u64(1))"]))["run"]
    rng = random.Random(3)
    rows = [tuple(abs(_near(rng, LONG)) for _ in names) for _ in range(N)]
    out = np.zeros((N, 2), np.int64)
    run(np.array(rows, np.int64), np.zeros(N, np.uint64), out)
    found = [2 * high + low for high, low in out.tolist()]
    bases = [isa.site_key(isa.tick_key(*row[:3]), row[3]) for row in rows]
    assert found == [unit_key(base, row[4]) for base, row in zip(bases, rows, strict=True)]
    exact = [base + row[4] * 0x9E3779B97F4A7C15 for base, row in zip(bases, rows, strict=True)]
    wrapped = sum(u64(value) != value for value in exact)
    assert wrapped > N / 2, "the inputs are too small to show that unsigned arithmetic wraps"

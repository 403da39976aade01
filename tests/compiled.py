"""Compile source the way a kernel has it: one file with the library of intrinsics, Numba's casts, and what is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuroemu.language.program import library_source

HEADER = "import numpy as np\nfrom numba import int32 as i4\nfrom numba import njit"
LIBRARY = "\n\n".join([HEADER, *library_source()])


def compiled(*sources: str) -> dict[str, Any]:
    """The names these sources define beside the library; Numba compiles a function when it is first called."""
    namespace: dict[str, Any] = {}
    exec(compile("\n\n".join([LIBRARY, *sources]), "<kernel>", "exec"), namespace)
    return namespace


def driver(name: str, arguments: Sequence[str], body: Sequence[str], results: Sequence[str]) -> str:
    """A compiled loop over rows: ``rows`` holds the arguments, ``key`` the random key, ``out`` takes the results."""
    lines = [f"{argument} = rows[n, {i}]" for i, argument in enumerate(arguments)]
    lines += [*body, *(f"out[n, {i}] = {result}" for i, result in enumerate(results))]
    loop = "\n".join(f"        {line}" for line in lines)
    return f"@njit\ndef {name}(rows, keys, out):\n    for n in range(rows.shape[0]):\n        key = keys[n]\n{loop}"

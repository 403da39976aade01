"""Files changed as accidents and enemies change them: bytes, words, values of a header, arrays. Everything is drawn from the generator
that is given, so a seed and a number name a file for ever."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

MARKER = "CODE_RAN"
"""A file that exists in the current folder if anything of a mutant was ever run."""
CODE = f"__import__('pathlib').Path({MARKER!r}).touch()"
CODES = (
    CODE,
    f"0\n{CODE}\n",
    f"0)\n{CODE}\n#",
    f"v\n{CODE}\nif 1:\n    x = 0",
    f"'); {CODE} #",
    f"${{{CODE}}}",
)
"""Python that leaves the marker, in shapes that fit into a call, a line and a block."""
VALUES: tuple[Any, ...] = (
    -1, 0, 1, 2, 3, 7, 31, 32, 63, 64, 255, 1 << 20, (1 << 24) + 1, 1 << 31, 1 << 32, 1 << 40, 1 << 63, -(1 << 31), -(1 << 63), 10**30,
    1.5, 1e300, float("nan"), float("inf"), True, False, None, "", "x", "v", "spike", "drive", "../../x", "\x00", "é", "a" * 300,
    "[/red]", ":smile:", "\x1b[2J",
    [], {}, [1], [[1]], {"a": 1}, *CODES,
)  # fmt: skip
WORDS = (
    "-1", "0", "1", "64", "1e400", "-1e400", "1e-400", "99999999999999999999", "nan", "inf", "true", '""', '"x"', "[]", "{}", "[1, 2]",
    "x", "=", "\n", "(", "]", "# ", "\x00", "é", "1979-05-27", '"""', f'"{CODE}"', CODE, "import os", "lambda: 0", "__class__", "1 << 63",
    "(1 << 999999999)", "9 ** 9 ** 9", "[" * 5000, "(" * 5000,
)  # fmt: skip
Rng = random.Random


def bytes_changed(data: bytes, rng: Rng) -> bytes:
    """One to four accidents: a bit turned, bytes cut, doubled or overwritten, a number made large, the end lost."""
    for _ in range(rng.randint(1, 4)):
        if not data:
            return data
        at = rng.randrange(len(data))
        length = min(rng.choice([1, 1, 2, 4, 8, 64, 600]), len(data) - at)
        kind = rng.randrange(6)
        if kind == 0:
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + length :]
        elif kind == 2:
            data = data[:at] + data[at : at + length] * 2 + data[at + length :]
        elif kind == 3:
            data = (
                data[:at] + bytes([rng.choice([0, 255, 127, 128, rng.randrange(256)])]) * length + data[at + length :]
            )
        elif kind == 4:
            large = rng.choice([2**63 - 1, 2**32 - 1, 2**31, 10**12, 2**64 - 1]).to_bytes(
                8, rng.choice(["little", "big"])
            )
            data = data[:at] + large + data[at + 8 :]
        else:
            data = data[:at]
    return data


def words_changed(text: str, rng: Rng) -> str:
    """One to three words exchanged for awkward ones or others of the text, or lines lost, doubled or moved."""
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.3:
            lines = text.split("\n")
            line = lines.pop(rng.randrange(len(lines)))
            for _ in range(rng.randrange(3)):
                lines.insert(rng.randrange(len(lines) + 1), line)
            text = "\n".join(lines)
        else:
            words = text.split(" ")
            words[rng.randrange(len(words))] = rng.choice([*WORDS, rng.choice(words)])
            text = " ".join(words)
    return text


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys to every value of a header, tables and lists among them."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from leaves(inner, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    """Set the value at these keys."""
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def got(value: Any, path: tuple[Any, ...]) -> Any:
    """The value at these keys."""
    for key in path:
        value = value[key]
    return value


def header_changed(header: dict[str, Any], rng: Rng, skip: Callable[[tuple[Any, ...]], bool] = lambda _: False) -> None:
    """One value exchanged for another kind or size, for one found elsewhere, lost, or given a new name."""
    places = [path for path in leaves(header) if not skip(path)]
    path = rng.choice(places)
    kind = rng.randrange(8)
    if kind <= 3:
        put(header, path, copy.deepcopy(rng.choice(VALUES)))
    elif kind == 4:
        put(header, path, copy.deepcopy(got(header, rng.choice(places))))
    elif kind == 5:
        old = got(header, path)
        near = old + rng.choice([-1, 1]) if type(old) is int else [*old, *old] if isinstance(old, list) else f"{old}x"
        put(header, path, near)
    else:
        holder, key = got(header, path[:-1]), path[-1]
        old = holder.pop(key)
        if kind == 7 and isinstance(holder, dict):
            holder[rng.choice([*CODES, "x", "v", ""])] = old


def array_changed(arrays: dict[str, np.ndarray], rng: Rng) -> None:
    """One array with an entry far out or next to what it was, cut, doubled, turned, of another type or shape, or lost."""
    if not arrays:
        return
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    kind = rng.randrange(10)
    if kind <= 3 and array.size and array.dtype.kind in "iuf":
        flat = array.copy().ravel()
        at = rng.randrange(flat.size)
        far = [
            -1,
            0,
            flat.size,
            1 << 20,
            (1 << 31) - 1,
            -(1 << 31),
            1 << 40,
            -(1 << 62),
            int(flat[at]) + 1,
            int(flat[at]) - 1,
        ]
        flat[at] = np.array([rng.choice(far)]).astype(array.dtype)[0]
        arrays[name] = flat.reshape(array.shape)
    elif kind == 4:
        arrays[name] = array[: array.shape[0] // 2] if array.ndim else array
    elif kind == 5:
        arrays[name] = np.concatenate([array, array]) if array.ndim else array
    elif kind == 6:
        arrays[name] = array.astype(
            rng.choice(["int8", "float64", "uint64", "bool", "<U3", "int16", ">i8", "complex128"])
        )
    elif kind == 7:
        arrays[name] = array[::-1].copy() if array.ndim else array
    elif kind == 8:
        arrays[name] = array.reshape(-1, 1)
    else:
        moved = arrays.pop(name)
        if rng.random() < 0.5:
            arrays[rng.choice(["x", f"{name}.x", CODE])] = moved


def nudged(arrays: dict[str, np.ndarray], rng: Rng) -> None:
    """A few weights and parameters one more or less, as another training might have left them: what passes must run."""
    for name in rng.sample(sorted(n for n in arrays if ".param." in n or n.endswith(".weight")), 2):
        flat = arrays[name].copy().ravel()
        for _ in range(rng.randint(1, 6)):
            flat[rng.randrange(flat.size)] += rng.choice([-1, 1])
        arrays[name] = flat.reshape(arrays[name].shape)

"""From a random network that fails to a small one that still does, and that as a script to run."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from random_networks import Drawn

import neuroemu as ne
from neuroemu.base.errors import NeuroemuError

TRIES = 400
"""Networks that are tried on the way."""


def shrunk(drawn: Drawn, failing: Callable[[Drawn], bool]) -> Drawn:
    """A part of the network that still fails, and of which no part one step smaller does; or the smallest met within TRIES."""
    tries = 0
    candidates = smaller(drawn)
    while tries < TRIES and (candidate := next(candidates, None)) is not None:
        tries += 1
        try:
            fails = failing(candidate)
        except NeuroemuError:  # what is left is no network
            continue
        if fails:
            drawn, candidates = candidate, smaller(candidate)
    return drawn


def smaller(drawn: Drawn) -> Iterator[Drawn]:
    """The network with one thing less, large things first."""
    yield from _shorter(drawn)
    network = drawn.network
    for projection in network.projections:
        yield _with(drawn, projections=[p for p in network.projections if p is not projection])
    used = {name for p in network.projections for name in (p.pre, p.post)}
    for population in network.populations:
        if population.name not in used:
            yield _without(drawn, population.name)
    for name in ("phases", "probes", "outputs", "modulators"):
        if getattr(network, name):
            yield _with(drawn, **{name: getattr(network, name)[1:]})
    for plain in ({"rule": None, "params": {}}, {"view": None}, {"delay": 0}):
        for projection in network.projections:
            if any(not np.array_equal(getattr(projection, key), value) for key, value in plain.items()):
                other = replace(projection, **plain)  # type: ignore[arg-type]
                yield _with(drawn, projections=[other if p is projection else p for p in network.projections])
    easier: list[dict[str, Any]] = [{"placement": None}, {"align": False}, {"first": 0}]
    easier += [
        {"how": drawn.how | {key: value}} for key, value in (("plastic", False), ("commit_every", 1), ("seed", 0))
    ]
    for fewer in easier:
        if any(getattr(drawn, name) != value for name, value in fewer.items()):
            yield replace(drawn, **fewer)


def _shorter(drawn: Drawn) -> Iterator[Drawn]:
    """Fewer presentations, rows and packets."""
    rows, n, _ = next(iter(drawn.inputs.values())).shape
    for low, high in [(0, n // 2), (n // 2, n)] if n > 1 else []:
        inputs = {name: array[:, low:high] for name, array in drawn.inputs.items()}
        values = {name: array[low:high] for name, array in drawn.values.items()}
        yield replace(drawn, inputs=inputs, values=values, first=drawn.first + low)
    for left in {rows // 2, rows - 1} - {0, rows}:
        yield replace(drawn, inputs={name: array[:left] for name, array in drawn.inputs.items()})
    for name, array in drawn.inputs.items():
        for neuron in np.flatnonzero(array.any((0, 1))):
            quiet = array.copy()
            quiet[:, :, neuron] = 0
            yield replace(drawn, inputs=drawn.inputs | {name: quiet})


def _with(drawn: Drawn, **parts: Any) -> Drawn:
    """The network with other parts; values that no modulator tells any more are left out."""
    network = replace(drawn.network, **parts)
    told = {modulator.population for modulator in network.modulators}
    return replace(drawn, network=network, values={name: v for name, v in drawn.values.items() if name in told})


def _without(drawn: Drawn, name: str) -> Drawn:
    """The network without one population that nothing is connected to."""
    network = drawn.network
    placement = None if drawn.placement is None else {k: v for k, v in drawn.placement.items() if k != name}
    left = replace(drawn, placement=placement, inputs={k: v for k, v in drawn.inputs.items() if k != name})
    return _with(
        left,
        populations=[p for p in network.populations if p.name != name],
        outputs=[output for output in network.outputs if output != name],
        probes=[probe for probe in network.probes if probe[0] != name],
        modulators=[modulator for modulator in network.modulators if modulator.population != name],
    )


# ---- as a script
SCRIPT = '''"""Run from the repository: PYTHONPATH=tests .venv/bin/python this_file.py"""

import tempfile
from pathlib import Path

import numpy as np
from differential import compared
from random_networks import Drawn

import neuroemu as ne
from neuroemu.chip.chip import parse_chip


def file(text):
    path = Path(tempfile.mkdtemp()) / "drawn.py"
    path.write_text(text)
    return str(path)


CHIP = """
{chip}
"""
{parts}
print(compared(drawn).difference)
'''


def script(drawn: Drawn) -> str:
    """Python that runs the network both ways and prints what differs."""
    parts = [f"drawn = Drawn(\n    chip=parse_chip(CHIP, {drawn.chip.path!r}),\n"]
    for part in fields(drawn):
        if part.name != "chip":
            parts.append(textwrap.indent(f"{part.name}={_code(getattr(drawn, part.name))},\n", "    "))
    return SCRIPT.format(chip=drawn.chip.text.replace("\\", "\\\\"), parts="".join([*parts, ")"]))


def _code(value: Any) -> str:
    """An expression for a value; files of programs stand in it with their text."""
    if is_dataclass(value) and not isinstance(value, type):
        given = (f for f in fields(value) if not _default(f, getattr(value, f.name)))
        return f"ne.{type(value).__name__}({', '.join(f'{f.name}={_code(getattr(value, f.name))}' for f in given)})"
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()}, np.int64).reshape({value.shape})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_code(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_code, value)) + "]"
    if isinstance(value, str) and value.endswith(".py"):
        return f"file({Path(value).read_text()!r})"
    return repr(value)


def _default(field: Any, value: Any) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return value is default or (type(value) is type(default) and not isinstance(value, np.ndarray) and value == default)


assert ne.Network  # what scripts name

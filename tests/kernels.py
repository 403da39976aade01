"""The text of a generated kernel run by the interpreter: as it stands, with NumPy's scalars, or checked, with exact integers.

Engine ``cpu`` is the product's own in all but the kernel's module, so that what a run gives is what its text means.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import exact
import numba
import numpy as np

PLACE = "<kernel>"
"""The kernel's file, in tracebacks."""
FUNCTIONS = ("run", "commit")
"""What an engine calls of a kernel."""
BUILTINS = ("abs", "len", "max", "min", "range")
"""Names of Python that a kernel may use."""


class KernelFaultError(Exception):
    """Something in a kernel's text that is wrong or not the same everywhere: function, line, text of the line, what."""

    def __init__(self, text: str, error: Exception) -> None:
        frame = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == PLACE][-1]
        self.line = frame.lineno or 0
        self.source, self.function = text.split("\n")[self.line - 1].strip(), frame.name
        what = str(error) if isinstance(error, exact.FaultError) else f"{type(error).__name__}: {error}"
        super().__init__(f"kernel line {self.line}, in {self.function}: `{self.source}`: {what}")


def _plainly(*arguments: Any, **options: Any) -> Any:
    """Numba's decorator that leaves a function as it is."""
    if arguments:
        return arguments[0]
    assert "cache" not in options or options["cache"] is True
    return lambda function: function


class _Function:
    """A kernel's function as an engine calls a compiled one."""

    def __init__(self, function: Callable[..., Any], call: Callable[..., Any]) -> None:
        self.function, self.call = function, call

    def __call__(self, *arguments: Any) -> Any:
        return self.call(self.function, *arguments)


def _module(text: str, modules: dict[str, Any], call: Callable[..., Any], **names: Any) -> SimpleNamespace:
    """Execute a kernel's text, its imports answered by ``modules``."""

    def imported(name: str, *how: Any) -> Any:  # NumPy imports its own parts in whatever calls it
        return modules[name] if name in modules else builtins.__import__(name, *how)

    allowed = {name: getattr(builtins, name) for name in BUILTINS} | names | {"__import__": imported}
    namespace: dict[str, Any] = {"__builtins__": allowed}
    exec(compile(text, PLACE, "exec"), namespace)
    return SimpleNamespace(**{name: _Function(namespace[name], call) for name in FUNCTIONS if name in namespace})


@cache
def plain(text: str) -> SimpleNamespace:
    """The kernel's module as plain Python: the text as it stands, real NumPy, Numba's types, no compiler."""

    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        with np.errstate(over="ignore"):  # keys wrap; that nothing signed does is what `checked` shows
            return function(*arguments)

    return _module(text, {"numpy": np, "numba": SimpleNamespace(int32=numba.int32, njit=_plainly)}, call)


@cache
def checked(text: str) -> SimpleNamespace:
    """The kernel's module on exact integers of stated types; whatever is not alike everywhere raises KernelFaultError."""
    casts = {name: exact.Cast(name) for name in exact.TYPES}
    modules = {
        "numpy": SimpleNamespace(zeros=exact.zeros, empty=exact.empty, **casts),
        "numba": SimpleNamespace(int32=casts["int32"], njit=_plainly),
    }

    def given(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return exact.Array(value)
        return exact.Int64.holding(int(value), "an argument")

    def handed(value: Any) -> Any:
        return value.data if isinstance(value, exact.Array) else int(value)

    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            found = function(*map(given, arguments))
        except Exception as error:
            raise KernelFaultError(text, error) from error
        return tuple(map(handed, found)) if isinstance(found, tuple) else handed(found)

    return _module(text, modules, call, range=exact.counting)


@contextmanager
def interpreted(load: Callable[[str], Any]) -> Iterator[None]:
    """Engine ``cpu`` runs the modules that ``load`` makes of its kernels' texts, `plain` or `checked`, in the place of compiled ones."""
    with patch("neuroemu.engines.kernel.cpu.compiled", lambda text, types, arguments: load(text)):  # noqa: ARG005
        yield

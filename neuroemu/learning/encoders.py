"""The shipped encoders by name, and what each is given by default. A new one is a function in encode.py and a row here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from neuroemu.base.errors import RunError
from neuroemu.base.shelf import unknown
from neuroemu.learning import encode
from neuroemu.network.stimulus import Stimulus

GRADED_BITS = 5
"""Of a full pixel's payload: what digits have, for which SpikeGrad's options are."""


class Setting(NamedTuple):
    """What defaults follow from: rows of a presentation, the value of a full pixel, the seed of the training."""

    rows: int
    top: int
    seed: int


class Kind(NamedTuple):
    """An encoder and its arguments by default, beside ``ticks`` and ``name``, which all have."""

    function: Callable[..., Stimulus]
    defaults: Callable[[Setting], dict[str, Any]]


ENCODERS: Mapping[str, Kind] = {
    "ttfs": Kind(encode.ttfs, lambda s: {"top": s.top, "window": max(1, s.rows // 2)}),
    "rate": Kind(encode.rate, lambda s: {"top": s.top, "seed": s.seed}),
    "graded": Kind(encode.graded, lambda s: {"shift": max(0, s.top.bit_length() - GRADED_BITS)}),
}
_GIVEN = ("values", "ticks", "first")
"""Arguments that are no options of a user's."""
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "str": ((str,), "the name of a host input"),
}


@dataclass(frozen=True)
class NamedEncoder:
    """A shipped encoder with everything given but the values and the number of the first presentation."""

    name: str
    given: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in sorted(self.given.items()))})"

    def __call__(self, values: Any, first: int) -> Stimulus:
        return ENCODERS[self.name].function(values, first=first, **self.given)


def named_encoder(name: str, host: str, setting: Setting, options: Mapping[str, Any]) -> NamedEncoder:
    """The encoder of that name for a host input: defaults, and ``options`` over them. Raises UnknownNameError, RunError."""
    if name not in ENCODERS:
        raise unknown("encoder", name, tuple(ENCODERS))
    check_options(name, options)
    return NamedEncoder(name, {"ticks": setting.rows, "name": host, **ENCODERS[name].defaults(setting), **options})


def check_options(encoder: str, options: Mapping[str, Any]) -> None:
    """Refuse options that an encoder does not take, or not of that type. Raises UnknownNameError, RunError."""
    accepted = {
        name: str(parameter.annotation).removesuffix(" | None")
        for name, parameter in inspect.signature(ENCODERS[encoder].function).parameters.items()
        if name not in _GIVEN
    }
    for name, value in options.items():
        if name not in accepted:
            raise unknown(f"option of encoder '{encoder}'", name, tuple(accepted))
        kinds, what = _KINDS[accepted[name]]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise RunError(f"option {name} of encoder '{encoder}' is {value!r}; give {what}")

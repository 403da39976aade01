"""What a NIR file does not say."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal

from neuroemu.base.errors import NetworkError
from neuroemu.base.moved import warn_moved

OLD_NAMES = {"compare": "spike_if"}
"""Names of conventions for one release, in files and as arguments, and what they are called now."""


@dataclass(frozen=True)
class Conventions:
    """What a NIR file does not say. The same weights under another convention are another network.

    ``dt`` seconds a tick; ``reset`` to v_reset (``zero``) or by v_threshold (``subtract``), ``reset_timing`` in the tick of
    the spike (``now``) or the one after (``next``); ``spike_if`` v is above the threshold, or at it
    too; ``decay`` 1 - dt/tau (``euler``) or
    exp(-dt/tau) (``exp``); ``gain`` as NIR's equations say (``nir``), or 1 whatever r and w_in are (``unit``).
    """

    dt: float = 1e-4
    reset: Literal["zero", "subtract"] = "zero"
    reset_timing: Literal["now", "next"] = "now"
    spike_if: Literal[">", ">="] = ">"
    decay: Literal["euler", "exp"] = "euler"
    gain: Literal["nir", "unit"] = "nir"
    max_spikes: int = 1

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "reset": ("zero", "subtract"),
        "reset_timing": ("now", "next"),
        "spike_if": (">", ">="),
        "decay": ("euler", "exp"),
        "gain": ("nir", "unit"),
    }

    def __post_init__(self) -> None:
        if not (isinstance(self.dt, float | int) and math.isfinite(self.dt) and self.dt > 0):
            raise NetworkError(f"convention dt is {self.dt!r}; give the length of a tick in seconds, above 0")
        for name, choices in self.CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise NetworkError(f"convention {name} is {value!r}; choose one of {', '.join(choices)}")
        if self.max_spikes != 1:
            raise NetworkError(
                f"convention max_spikes is {self.max_spikes!r}; a neuron sends at most one packet per channel and tick, "
                "use 1 and a smaller dt"
            )
        object.__setattr__(self, "max_spikes", 1)  # whatever equals 1: files take Python's own

    @property
    def compare(self) -> str:
        """What ``spike_if`` was called."""
        warn_moved("convention compare", "spike_if")
        return self.spike_if


def of_node(common: Conventions, given: Mapping[str, Any], place: str) -> Conventions:
    """The conventions of one node: ``given`` over those of its network. Raises NetworkError, which begins with ``place``."""
    stated = by_present_names(given)
    for name in stated:
        if name not in NODE_CONVENTIONS:
            way_out = "dt is the network's alone" if name == "dt" else f"there are {', '.join(NODE_CONVENTIONS)}"
            raise NetworkError(f"{place}: '{name}' is no convention of a node; {way_out}")
    try:
        return replace(common, **stated)
    except NetworkError as error:
        raise NetworkError(f"{place}: {error}") from None


def by_node(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Conventions for all, and by node: a value that is a mapping says it of nodes by name, ``"*"`` of all others."""
    common: dict[str, Any] = {}
    nodes: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        if not isinstance(value, Mapping):
            common[name] = value
            continue
        for node, one in value.items():
            if node == "*":
                common[name] = one
            else:
                nodes.setdefault(str(node), {})[name] = one
    return common, nodes


def by_present_names(given: Mapping[str, Any], warn: bool = True) -> dict[str, Any]:
    """The conventions by the names they have now, with a warning for old ones if asked; NetworkError if one is given under both."""
    for old, new in OLD_NAMES.items():
        if old in given and new in given:
            raise NetworkError(f"conventions {old} and {new} are one; give {new} alone")
        if old in given and warn:
            warn_moved(f"convention {old}", new)
    return {OLD_NAMES.get(name, name): value for name, value in given.items()}


def _take_old_names(cls: type[Conventions]) -> None:
    """Let the class take the names of before, with a warning."""
    made = cls.__init__

    @functools.wraps(made)
    def init(self: Conventions, *values: Any, **given: Any) -> None:
        made(self, *values, **by_present_names(given))

    cls.__init__ = init  # type: ignore[method-assign]


_take_old_names(Conventions)
NODE_CONVENTIONS = tuple(field.name for field in fields(Conventions) if field.name != "dt")
"""What may be said of one node; the length of a tick is the network's alone."""

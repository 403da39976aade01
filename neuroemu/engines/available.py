"""The list of engines, and which of them this machine can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class EngineModule:
    """Where under ``neuroemu.engines`` an engine's module is, and the library it cannot do without."""

    module: str
    needs: str | None = None


ENGINES: Mapping[str, EngineModule] = {
    "cpu": EngineModule("kernel.cpu", "numba"),
    "event": EngineModule("interpreted.event", "simpy"),
    "python": EngineModule("interpreted.python"),
}
"""Every engine there is, the fastest first. Whoever adds one adds it here: runs, commands, the demo and the tests ask."""


def available_engines() -> dict[str, str | None]:
    """Every engine by name: None if this machine can run it, else a sentence that says why not."""
    return {name: _missing(name, engine) for name, engine in ENGINES.items()}


def _missing(name: str, engine: EngineModule) -> str | None:
    if engine.needs is None or find_spec(engine.needs) is not None:
        return None
    return f"engine '{name}' needs the library {engine.needs}, which is not installed; install it with pip install {engine.needs}"


def runnable() -> tuple[str, ...]:
    """Names of the engines that this machine can run."""
    return tuple(name for name, reason in available_engines().items() if reason is None)

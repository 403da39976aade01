"""What a program is once it has been read: hooks, registers, parameters, gates."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from neuroemu.language.isa import NEURON_CHANNELS, ROLES

REGISTER_KINDS = ("state", "keep", "weight", "sum", "pre", "pre_keep", "post_state")
LASTING = ("weight", "keep", "pre_keep")
"""Storage classes that outlive a presentation; sums are empty between commits."""


@dataclass(frozen=True)
class Argument:
    """One argument of a hook: its role and the limits written in its annotation."""

    name: str
    kind: str
    limits: tuple[int, ...] = ()
    init: int | None = None
    """Start value of a register (0 if None); value of a parameter that is not given (none if None)."""
    place: tuple[int, int] = (0, 0)

    @property
    def role(self) -> str:
        """The annotation, as it is written."""
        name = next(name for name, role in ROLES.items() if role.kind == self.kind)
        limits = [*map(str, self.limits), *([] if self.init is None else [f"init={self.init}"])]
        return f"{name}({', '.join(limits)})" if limits else name

    def conflicts(self, other: Argument) -> bool:
        """Whether two hooks declare the name differently; one may leave out what the other says."""
        return (
            self.kind != other.kind
            or (bool(self.limits) and bool(other.limits) and self.limits != other.limits)
            or (None not in (self.init, other.init) and self.init != other.init)
        )

    def merged(self, other: Argument) -> Argument:
        """What two hooks say of the name together."""
        fuller = other if other.limits and not self.limits else self
        return replace(fuller, init=other.init if self.init is None else self.init)


@dataclass(frozen=True)
class Function:
    """A checked hook or helper. ``node`` is its syntax tree; ``returns`` the names written back."""

    name: str
    arguments: tuple[Argument, ...]
    returns: tuple[str, ...]
    node: ast.FunctionDef = field(compare=False, repr=False)


@dataclass(frozen=True)
class Register:
    """A register a program declares: its level (axon, neuron, synapse, post), kind, bits (None: the datasheet's), start value."""

    name: str
    level: str
    kind: str
    bits: int | None
    init: int
    place: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Alias:
    """Another name of a program: the program's own, the switches that the alias sets, and the options of ``wire`` it stands for."""

    program: str
    switches: Mapping[str, int]
    options: Mapping[str, Any] | None = None
    """None: the alias names a program, but no rule that ``ne.wire`` takes."""


@dataclass(frozen=True)
class Program:
    """One program of a firmware file, accepted by the whitelist but not yet proved to fit a chip."""

    name: str
    path: str
    doc: str
    hooks: dict[str, Function]
    helpers: dict[str, Function]
    constants: dict[str, int]
    gate: dict[str, tuple[str, ...]]
    online: bool
    registers: dict[str, Register]
    arguments: dict[str, Argument]
    """Every argument but inputs and keys by name, with what its hooks say of it together."""
    ungated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Switches by hook that take the hook's gate away when they are 1."""

    def of_kind(self, *kinds: str) -> tuple[str, ...]:
        """Names of arguments of these kinds, in order of first appearance."""
        return tuple(name for name, argument in self.arguments.items() if argument.kind in kinds)

    @property
    def is_neuron(self) -> bool:
        """Whether a population can run it: it has a soma."""
        return "soma" in self.hooks

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels its neurons send on."""
        returns = self.hooks["soma"].returns if self.is_neuron else ()
        return tuple(channel for channel in NEURON_CHANNELS if channel in returns)

    @property
    def payloads(self) -> tuple[str, ...]:
        """Channels on which it sets a payload; on the others the payload is 1."""
        returns = self.hooks["soma"].returns if self.is_neuron else ()
        return tuple(channel for channel in self.channels if f"{channel}_payload" in returns)

    @property
    def fires(self) -> str | None:
        """The returned name that says a neuron fired, for the rule hooks."""
        returns = self.hooks["soma"].returns if self.is_neuron else ()
        return next((name for name in ("fire", "spike") if name in returns), None)

    def level_of(self, name: str) -> str | None:
        """The level at which a register named in GATE lives."""
        if name in self.registers:
            return self.registers[name].level
        return "soma" if name in self.of_kind("post") else None


@dataclass(frozen=True)
class FirmwareFile:
    """A firmware file as it was read, nothing of it run: programs and aliases by their full names, and its host code."""

    programs: Mapping[str, Program]
    aliases: Mapping[str, Alias]
    host: ast.Module
    """Imports, constants, helpers and host functions; loading it does nothing but define them (host.py)."""
    host_functions: tuple[str, ...]

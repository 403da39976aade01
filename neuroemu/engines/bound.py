"""A hook bound to registers: where each argument comes from, where each result is stored and narrowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuroemu.image import Params
from neuroemu.isa import Bits, fit
from neuroemu.language import Function, Program

CONSTANT, POST, PRE, SYNAPSE, INPUT = range(5)
"""What indexes an argument's container: nothing, the neuron, the axon, the synapse, or the name of an input."""

Tap = Callable[[str, int, tuple[int, int, int], int, int], None]
"""Told of a write: register, axis, (neuron, axon, synapse), the value before and after."""
_AXIS = {"neuron": POST, "post": POST, "axon": PRE, "synapse": SYNAPSE}


@dataclass
class Registers:
    """Registers of one program on one core: a list a register, with its width and start value."""

    program: Program
    widths: Mapping[str, Bits]
    values: dict[str, list[int]]
    sizes: Mapping[int, int]

    @classmethod
    def make(cls, program: Program, widths: Mapping[str, Bits], sizes: Mapping[int, int]) -> Registers:
        """All registers at their start values; ``sizes`` gives the length along each axis."""
        registers = cls(program, widths, {}, sizes)
        registers.reset(("state", "keep", "weight", "sum", "pre", "pre_keep", "post_state"))
        return registers

    def reset(self, kinds: Sequence[str]) -> None:
        """Put registers of these kinds back to their start values."""
        for name, register in self.program.registers.items():
            if register.kind in kinds:
                self.values[name] = [register.init] * self.sizes[_AXIS[register.level]]


class Bound:
    """One hook, ready to be called for a neuron, an axon or a synapse.

    ``saturations[register][index]`` counts results that did not fit. ``taps`` are told of every register that is written.
    """

    def __init__(
        self,
        function: Function,
        hook: Callable[..., tuple[int, ...]],
        registers: Registers,
        post: Registers | None,
        params: Params,
    ) -> None:
        self.hook = hook
        self.keyed = any(argument.kind == "key" for argument in function.arguments)
        self.registers, self.post = registers, post
        self.sources = [self._source(argument.name, argument.kind, params) for argument in function.arguments]
        kinds = {argument.name: argument.kind for argument in function.arguments}
        self.sinks = [(name, *self._sink(name, kinds.get(name))) for name in function.returns]
        self.saturations: dict[str, Counter[int]] = {}
        self.taps: list[Tap] = []

    def _source(self, name: str, kind: str, params: Params) -> tuple[int, Any]:
        if kind in ("input", "key", "port"):
            return INPUT, name
        if kind == "width":
            return CONSTANT, self.registers.widths[name.removesuffix("_width")]
        if kind == "table":
            table = params[name]
            assert not isinstance(table, int)
            return CONSTANT, table.tolist()
        if kind == "param":
            value = params[name]
            return (CONSTANT, value) if isinstance(value, int) else (POST, value.tolist())
        if kind == "post":
            assert self.post is not None
            return POST, (self.post, name)
        return _AXIS[self.registers.program.registers[name].level], (self.registers, name)

    def _sink(self, name: str, kind: str | None) -> tuple[int, Registers | None, Bits | None]:
        if kind == "post":
            assert self.post is not None
            return POST, self.post, self.post.widths[name]
        if kind is None:
            return CONSTANT, None, self.registers.widths[name] if name.endswith("_payload") else None
        width = None if kind == "sum" else self.registers.widths[name]
        return _AXIS[self.registers.program.registers[name].level], self.registers, width

    def __call__(self, index: tuple[int, int, int], inputs: Mapping[str, int]) -> dict[str, int]:
        """Call for (neuron, axon, synapse); returns the results that are no registers: send flags and payloads."""
        arguments = []
        for axis, where in self.sources:
            if axis == INPUT:
                arguments.append(inputs[where])
            elif axis == CONSTANT:
                arguments.append(where)
            elif isinstance(where, tuple):
                arguments.append(where[0].values[where[1]][index[axis - 1]])
            else:
                arguments.append(where[index[axis - 1]])
        sent = {}
        for (name, axis, registers, width), value in zip(self.sinks, self.hook(*arguments), strict=True):
            stored = value if width is None else fit(value, width)
            if stored != value:
                self.saturations.setdefault(name, Counter())[index[axis - 1] if registers else index[0]] += 1
            if registers is None:
                sent[name] = stored
            else:
                for tap in self.taps:
                    tap(name, axis, index, registers.values[name][index[axis - 1]], stored)
                registers.values[name][index[axis - 1]] = stored
        return sent

"""A hook bound to registers: where each argument comes from, where each result is stored and narrowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuroemu.chip.width import Bits
from neuroemu.image.image import Params
from neuroemu.language.isa import fit
from neuroemu.language.language import Function, Program

CONSTANT, POST, PRE, SYNAPSE = range(4)
"""What indexes an argument's container: nothing, the neuron, the axon or the synapse."""
AT = ("", "[neuron]", "[axon]", "[synapse]")
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
                start = [register.init] * self.sizes[_AXIS[register.level]]
                self.values.setdefault(name, start)[:] = start  # hooks hold on to the list


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
        self.keyed = any(argument.kind == "key" for argument in function.arguments)
        self.registers, self.post = registers, post
        self.saturations: dict[str, Counter[int]] = {}
        self.taps: list[Tap] = []
        names: dict[str, Any] = {"hook": hook, "narrow": self.narrow, "taps": self.taps, "tell": self.tell}
        arguments = [self._argument(argument.name, argument.kind, params, names) for argument in function.arguments]
        kinds = {argument.name: argument.kind for argument in function.arguments}
        lines = [line for name in function.returns for line in self._sink(name, kinds.get(name), names)]
        sent = ", ".join(f"'{name}': r_{name}" for name in function.returns if kinds.get(name) is None)
        results = "".join(f"r_{name}, " for name in function.returns) or "_"
        exec(
            "def call(index, inputs):\n    neuron, axon, synapse = index\n"
            + f"    {results} = hook({', '.join(arguments)})\n"
            + "".join(f"    {line}\n" for line in lines)
            + f"    return {{{sent}}}\n",
            names,
        )
        self.call: Callable[[tuple[int, int, int], Mapping[str, int]], dict[str, int]] = names["call"]

    def __call__(self, index: tuple[int, int, int], inputs: Mapping[str, int]) -> dict[str, int]:
        """Call for (neuron, axon, synapse); returns the results that are no registers: send flags and payloads."""
        return self.call(index, inputs)

    def _argument(self, name: str, kind: str, params: Params, names: dict[str, Any]) -> str:
        """The expression that gives an argument its value; what it needs goes into ``names``."""
        if kind in ("input", "key", "port"):
            return f"inputs['{name}']"
        held: Any
        if kind == "width":
            held, axis = self.registers.widths[name.removesuffix("_width")], CONSTANT
        elif kind == "table":
            table = params[name]
            assert not isinstance(table, int)
            held, axis = table.tolist(), CONSTANT
        elif kind == "param":
            value = params[name]
            held, axis = (value, CONSTANT) if isinstance(value, int) else (value.tolist(), POST)
        else:
            registers, axis = self._where(name, kind)
            held = registers.values[name]
        names[f"a_{name}"] = held
        return f"a_{name}" + AT[axis]

    def _where(self, name: str, kind: str) -> tuple[Registers, int]:
        """The registers that hold one, and what indexes it."""
        if kind == "post":
            assert self.post is not None
            return self.post, POST
        return self.registers, _AXIS[self.registers.program.registers[name].level]

    def _sink(self, name: str, kind: str | None, names: dict[str, Any]) -> list[str]:
        """The lines that narrow and store a result."""
        if kind is None:
            registers, axis = None, POST
            width = self.registers.widths[name] if name.endswith("_payload") else None
        else:
            registers, axis = self._where(name, kind)
            width = None if kind == "sum" else registers.widths[name]
        at = AT[axis].strip("[]")
        lines = []
        if width is not None:
            half = 1 << (width.bits - 1)
            names[f"w_{name}"] = width
            lines.append(f"if not {-half} <= r_{name} < {half}: r_{name} = narrow('{name}', r_{name}, w_{name}, {at})")
        if registers is not None:
            names[f"s_{name}"] = registers.values[name]
            lines.append(f"if taps: tell('{name}', {axis}, index, s_{name}[{at}], r_{name})")
            lines.append(f"s_{name}[{at}] = r_{name}")
        return lines

    def narrow(self, name: str, value: int, width: Bits, at: int) -> int:
        """A result that does not fit, as its register takes it."""
        self.saturations.setdefault(name, Counter())[at] += 1
        return fit(value, width)

    def tell(self, name: str, axis: int, index: tuple[int, int, int], old: int, new: int) -> None:
        """Tell the taps of a write."""
        for tap in self.taps:
            tap(name, axis, index, old, new)

"""Write the call of a hook into a kernel: load its arguments, call it, narrow and store what it returns."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from neuroemu.chip.width import Bits
from neuroemu.engines.kernel.layout import Layout, Owner, PopulationLayout, ProjectionLayout, named
from neuroemu.language.language import Argument
from neuroemu.language.program import hook_lines


class Lines(Protocol):
    """Where lines of source go (kernel.Writer)."""

    def __call__(self, *lines: str) -> None:
        """Write lines."""

    def arg(self, name: str) -> str:
        """Note an argument of the kernel."""


Note = Callable[[str, str], None]
"""Told a result's name and the test for its not having fitted."""


class Caller:
    """Writes hook calls; loops around them use ``j`` for the pre neuron, ``i`` for the neuron, ``k`` for a listed synapse."""

    def __init__(self, layout: Layout, lines: Lines) -> None:
        self.layout, self.w = layout, lines
        self.locals = _local_names(layout)
        self.fused_sums = {named(p.tag, name) for p in layout.projections for name in layout.fused_sums(p)}
        self.rows: dict[str, str] = {}
        """Elements of arrays of which a loop has one row under a name of its own, by array."""

    # ---- names
    def register(self, owner: Owner, tag: str, name: str, rule: ProjectionLayout | None) -> str:
        """The element of a register that a hook sees."""
        if name not in owner.program.registers:
            assert rule is not None
            return f"{self.known(named(rule.post_tag, name))}[i]"  # a register of the destination soma
        level = owner.program.registers[name].level
        if named(tag, name) in self.fused_sums:
            return named(tag, name)
        array = self.known(named(tag, name))
        if array in self.rows:
            return self.rows[array]
        if level in ("neuron", "post"):
            return f"{array}[i]"
        assert rule is not None
        if level == "axon":
            return f"{array}[d, j]"
        transposed = "i, j" if name in rule.transposed else "j, i"
        return f"{array}[{transposed if rule.dense else 'k'}]"

    def known(self, name: str) -> str:
        """A register's array: allocated in the kernel, or an argument."""
        return name if name in self.locals else self.w.arg(name)

    def sums(self) -> list[tuple[str, tuple[int, ...]]]:
        """Arrays of every sum register and their shapes: a commit clears them."""
        names: list[tuple[str, tuple[int, ...]]] = []
        for layout in self.layout.populations:
            size = (layout.population.n,)
            names += [
                (named(layout.tag, r.name), size) for r in layout.owner.program.registers.values() if r.kind == "sum"
            ]
        for projection in self.layout.projections:
            if projection.owner is not None:
                for register in projection.owner.program.registers.values():
                    if register.kind == "sum" and named(projection.tag, register.name) not in self.fused_sums:
                        names.append((named(projection.tag, register.name), projection.shape(register.level)))
        return names

    # ---- gates
    def axon_gate(self, layout: ProjectionLayout, hook: str) -> str:
        """The part of a hook's gate that is decided for a whole row."""
        return self.gate(layout, hook, ("axon",))

    def post_gate(self, layout: ProjectionLayout, hook: str) -> str:
        """The part of a hook's gate that is decided for each synapse."""
        return self.gate(layout, hook, ("post", "soma", "synapse"))

    def gate(self, layout: ProjectionLayout, hook: str, levels: tuple[str, ...]) -> str:
        """The part of a hook's gate that registers of some levels decide; empty if there is none."""
        owner = layout.owner
        assert owner is not None
        names = [name for name in owner.program.gate.get(hook, ()) if owner.program.level_of(name) in levels]
        return " and ".join(f"{self.register(owner, layout.tag, name, layout)} != 0" for name in names)

    # ---- random keys
    def site(self, tag: str, hook: str, number: int, base: str = "base") -> None:
        """The hook's random key in this tick, if it draws."""
        if self._keyed(tag, hook):
            self.w(f"at_{hook} = site_key({base}, u64({number}))")

    def _keyed(self, tag: str, hook: str) -> bool:
        return any(argument.kind == "key" for argument in self.layout.owners[tag].program.hooks[hook].arguments)

    # ---- saturation counts
    def saturating(self, tag: str, hook: str) -> list[str]:
        """Results of a hook that may not fit and are not of an axon, in order."""
        owner = self.layout.owners[tag]
        return sorted(name for name in owner.overflows(hook) if owner.program.level_of(name) != "axon")

    def clear_saturations(self, tag: str, hook: str) -> None:
        """Start counting what does not fit."""
        for name in self.saturating(tag, hook):
            self.w(f"n_{name} = 0")

    def add_saturations(self, tag: str, hook: str) -> None:
        """Add the count to slice ``s``."""
        for name in self.saturating(tag, hook):
            self.w(f"{self.w.arg(f'{tag}_overflow_{name}')}[s] += n_{name}")

    # ---- calls
    def neuron(self, layout: PopulationLayout, hook: str) -> None:
        """A hook of neuron ``i``."""
        self.load(layout.owner, layout.tag, hook, self.neuron_key(layout, hook), None)
        self.w(*self.body(layout.owner, layout.tag, hook))
        for name in layout.owner.program.hooks[hook].returns:
            self.give(layout.owner, layout.tag, hook, name, None, layout)

    def rule(self, layout: ProjectionLayout, hook: str) -> None:
        """A rule's hook of post neuron ``i``, of the axon segment of delay ``d`` and pre neuron ``j``, or of a synapse."""
        assert layout.owner is not None
        self.load(layout.owner, layout.tag, hook, self.synapse_key(layout, hook), layout)
        self.w(*self.body(layout.owner, layout.tag, hook))
        for name in layout.owner.program.hooks[hook].returns:
            self.give(layout.owner, layout.tag, hook, name, layout, None)

    def neuron_key(self, layout: PopulationLayout, hook: str) -> str:
        """The random key of a hook's call for neuron ``i``."""
        return f"unit_key(at_{hook}, u64(u64({layout.population.id0}) + i))"

    def synapse_key(self, layout: ProjectionLayout, hook: str) -> str:
        """The random key of a hook's call for a synapse."""
        if not self._keyed(layout.tag, hook):
            return ""
        place = f"j * u64({layout.n_post}) + i" if layout.dense else "k"
        ident = (
            f"u64({int(layout.ids[0])}) + {place}"
            if layout.consecutive
            else f"{self.w.arg(f'{layout.tag}_ids')}[{place}]"
        )
        return f"unit_key(at_{hook}, u64({ident}))"

    # ---- pieces of a call
    def load(
        self,
        owner: Owner,
        tag: str,
        hook: str,
        key: str,
        rule: ProjectionLayout | None,
        only: Collection[str] | None = None,
    ) -> None:
        """Give the hook's arguments their values, or only some of them."""
        for argument in owner.program.hooks[hook].arguments:
            wanted = only is None or argument.name in only
            if wanted and argument.name not in owner.constants and argument.kind != "width":
                value = self._argument(owner, tag, argument, key, rule, owner.narrow(hook))
                self.w(f"{tag}{hook}_{argument.name} = {value}")

    def body(self, owner: Owner, tag: str, hook: str) -> list[str]:
        """The hook's statements, one a line."""
        return hook_lines(owner.program, hook, f"{tag}{hook}_", owner.constants, owner.widths, owner.narrow(hook))

    def give(
        self,
        owner: Owner,
        tag: str,
        hook: str,
        name: str,
        rule: ProjectionLayout | None,
        population: PopulationLayout | None,
        note: Note | None = None,
        only: str = "",
    ) -> None:
        """Store one result of a hook: a register, a send flag, a payload, or `fire`; with ``only``, where that is not 0.

        ``note`` is told the test for not having fitted, and counts it.
        """
        result = f"{tag}{hook}_{name}"
        if name in owner.overflows(hook):
            result = self._fitted(owner, tag, hook, name, rule, note or partial(self._count, owner, tag))
        if any(argument.name == name for argument in owner.program.hooks[hook].arguments):
            where = self.register(owner, tag, name, rule)
            self.w(f"{where} = {result} if {only} else {where}" if only else f"{where} = {result}")
        else:
            assert population is not None
            self._send(name, result, population)

    def _fitted(self, owner: Owner, tag: str, hook: str, name: str, rule: ProjectionLayout | None, note: Note) -> str:
        """Narrow a result that may not fit; returns the name of what fits."""
        width, result = self._width(owner, name, rule), f"{tag}{hook}_{name}"
        if owner.narrow(hook) and not width.wraps:
            low, high = -(1 << (width.bits - 1)), (1 << (width.bits - 1)) - 1
            self.w(f"y4 = i4(clamp_i4({result}, i4({low}), i4({high})))")
            note(name, f"y4 != {result}")
            return "y4"
        self.w(f"y = fit(i64({result}), ({width.bits}, {width.wraps}))")
        note(name, f"y != {result}")
        return "y"

    def _count(self, owner: Owner, tag: str, name: str, test: str) -> None:
        """Count what does not fit, as clear_saturations and add_saturations want it."""
        if owner.program.level_of(name) == "axon":
            self.w(f"{self.w.arg(f'{tag}_overflow_{name}')}[d, j] += {test}")
        else:
            self.w(f"n_{name} += {test}")

    def _width(self, owner: Owner, name: str, rule: ProjectionLayout | None) -> Bits:
        if name in owner.proof.widths:
            return owner.proof.widths[name]
        assert rule is not None
        return self.layout.population(rule.projection.post).owner.proof.widths[name]

    def _argument(
        self, owner: Owner, tag: str, argument: Argument, key: str, rule: ProjectionLayout | None, narrow: bool
    ) -> str:
        name, kind = argument.name, argument.kind
        if kind == "key":
            return key
        if kind == "table":
            return self.w.arg(named(tag, name))
        if kind in ("input", "port"):
            value = f"port_{name}" if kind == "port" else name
        elif kind == "param":
            array = not isinstance(owner.params[name], int)
            value = f"{self.w.arg(named(tag, name))}{'[i]' if array else ''}"
        else:
            value = self.register(owner, tag, name, rule)
        return f"i4({value})" if narrow else f"i64({value})"

    def _send(self, name: str, result: str, layout: PopulationLayout) -> None:
        """A send flag, a payload, or `fire`."""
        if name.endswith("_payload"):
            self.w(f"{layout.tag}_payload_{name.removesuffix('_payload')}[i] = {result}")
        elif name == "fire" and not layout.population.compete:
            if self.layout.ruled(layout.number):
                self.w(f"{layout.tag}_fired[i] = {result} != 0")
        else:
            self.w(f"{layout.tag}_flag_{name}[i] = {result} != 0")


def _local_names(layout: Layout) -> frozenset[str]:
    """Register arrays that the kernel allocates itself."""
    return frozenset(
        named(tag, register.name)
        for tag, owner in layout.owners.items()
        for register in owner.program.registers.values()
        if register.kind in layout.local_kinds
    )

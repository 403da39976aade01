"""Write the call of a hook into a kernel: load its arguments, call it, narrow and store what it returns."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from neuroemu.chip.width import Bits
from neuroemu.engines.kernel.plan import Owner, Plan, PopulationPlan, ProjectionPlan, named
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

    def __init__(self, plan: Plan, lines: Lines) -> None:
        self.plan, self.w = plan, lines
        self.locals = _local_names(plan)
        self.wires = {named(p.tag, name) for p in plan.projections for name in plan.wires(p)}
        self.rows: dict[str, str] = {}
        """Elements of arrays of which a loop has one row under a name of its own, by array."""

    # ---- names
    def register(self, owner: Owner, tag: str, name: str, rule: ProjectionPlan | None) -> str:
        """The element of a register that a hook sees."""
        if name not in owner.program.registers:
            assert rule is not None
            return f"{self.known(named(rule.post_tag, name))}[i]"  # a register of the destination soma
        level = owner.program.registers[name].level
        if named(tag, name) in self.wires:
            return named(tag, name)
        array = self.known(named(tag, name))
        if array in self.rows:
            return self.rows[array]
        if level in ("neuron", "post"):
            return f"{array}[i]"
        assert rule is not None
        if level == "axon":
            return f"{array}[d, j]"
        turned = "i, j" if name in rule.turned else "j, i"
        return f"{array}[{turned if rule.dense else 'k'}]"

    def known(self, name: str) -> str:
        """A register's array: allocated in the kernel, or an argument."""
        return name if name in self.locals else self.w.arg(name)

    def sums(self) -> list[tuple[str, tuple[int, ...]]]:
        """Arrays of every sum register and their shapes: a commit clears them."""
        names: list[tuple[str, tuple[int, ...]]] = []
        for plan in self.plan.populations:
            size = (plan.population.n,)
            names += [(named(plan.tag, r.name), size) for r in plan.owner.program.registers.values() if r.kind == "sum"]
        for projection in self.plan.projections:
            if projection.owner is not None:
                for register in projection.owner.program.registers.values():
                    if register.kind == "sum" and named(projection.tag, register.name) not in self.wires:
                        names.append((named(projection.tag, register.name), projection.shape(register.level)))
        return names

    # ---- gates
    def axon_gate(self, plan: ProjectionPlan, hook: str) -> str:
        """The part of a hook's gate that is decided for a whole row."""
        return self.gate(plan, hook, ("axon",))

    def post_gate(self, plan: ProjectionPlan, hook: str) -> str:
        """The part of a hook's gate that is decided for each synapse."""
        return self.gate(plan, hook, ("post", "soma", "synapse"))

    def gate(self, plan: ProjectionPlan, hook: str, levels: tuple[str, ...]) -> str:
        """The part of a hook's gate that registers of some levels decide; empty if there is none."""
        owner = plan.owner
        assert owner is not None
        names = [name for name in owner.program.gate.get(hook, ()) if owner.program.level_of(name) in levels]
        return " and ".join(f"{self.register(owner, plan.tag, name, plan)} != 0" for name in names)

    # ---- random keys
    def site(self, tag: str, hook: str, number: int, base: str = "base") -> None:
        """The hook's random key in this tick, if it draws."""
        if self._keyed(tag, hook):
            self.w(f"at_{hook} = site_key({base}, u64({number}))")

    def _keyed(self, tag: str, hook: str) -> bool:
        return any(argument.kind == "key" for argument in self.plan.owners[tag].program.hooks[hook].arguments)

    # ---- saturation counts
    def saturating(self, tag: str, hook: str) -> list[str]:
        """Results of a hook that may not fit and are not of an axon, in order."""
        owner = self.plan.owners[tag]
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
    def neuron(self, plan: PopulationPlan, hook: str) -> None:
        """A hook of neuron ``i``."""
        self.load(plan.owner, plan.tag, hook, self.neuron_key(plan, hook), None)
        self.w(*self.body(plan.owner, plan.tag, hook))
        for name in plan.owner.program.hooks[hook].returns:
            self.give(plan.owner, plan.tag, hook, name, None, plan)

    def rule(self, plan: ProjectionPlan, hook: str) -> None:
        """A rule's hook of post neuron ``i``, of the axon segment of delay ``d`` and pre neuron ``j``, or of a synapse."""
        assert plan.owner is not None
        self.load(plan.owner, plan.tag, hook, self.synapse_key(plan, hook), plan)
        self.w(*self.body(plan.owner, plan.tag, hook))
        for name in plan.owner.program.hooks[hook].returns:
            self.give(plan.owner, plan.tag, hook, name, plan, None)

    def neuron_key(self, plan: PopulationPlan, hook: str) -> str:
        """The random key of a hook's call for neuron ``i``."""
        return f"unit_key(at_{hook}, u64(u64({plan.population.id0}) + i))"

    def synapse_key(self, plan: ProjectionPlan, hook: str) -> str:
        """The random key of a hook's call for a synapse."""
        if not self._keyed(plan.tag, hook):
            return ""
        place = f"j * u64({plan.n_post}) + i" if plan.dense else "k"
        ident = (
            f"u64({int(plan.ids[0])}) + {place}" if plan.consecutive else f"{self.w.arg(f'{plan.tag}_ids')}[{place}]"
        )
        return f"unit_key(at_{hook}, u64({ident}))"

    # ---- pieces of a call
    def load(
        self,
        owner: Owner,
        tag: str,
        hook: str,
        key: str,
        rule: ProjectionPlan | None,
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
        rule: ProjectionPlan | None,
        population: PopulationPlan | None,
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

    def _fitted(self, owner: Owner, tag: str, hook: str, name: str, rule: ProjectionPlan | None, note: Note) -> str:
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

    def _width(self, owner: Owner, name: str, rule: ProjectionPlan | None) -> Bits:
        if name in owner.proof.widths:
            return owner.proof.widths[name]
        assert rule is not None
        return self.plan.population(rule.projection.post).owner.proof.widths[name]

    def _argument(
        self, owner: Owner, tag: str, argument: Argument, key: str, rule: ProjectionPlan | None, narrow: bool
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

    def _send(self, name: str, result: str, plan: PopulationPlan) -> None:
        """A send flag, a payload, or `fire`."""
        if name.endswith("_payload"):
            self.w(f"{plan.tag}_payload_{name.removesuffix('_payload')}[i] = {result}")
        elif name == "fire" and not plan.population.compete:
            if self.plan.ruled(plan.number):
                self.w(f"{plan.tag}_fired[i] = {result} != 0")
        else:
            self.w(f"{plan.tag}_flag_{name}[i] = {result} != 0")


def _local_names(plan: Plan) -> frozenset[str]:
    """Register arrays that the kernel allocates itself."""
    return frozenset(
        named(tag, register.name)
        for tag, owner in plan.owners.items()
        for register in owner.program.registers.values()
        if register.kind in plan.local_kinds
    )

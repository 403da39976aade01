"""Prove that a program fits a chip: no intermediate leaves 64 bits, every table index is inside, every register exists.

Interval arithmetic over the datasheet's widths (docs/firmware.md). What cannot be proved is refused with
``path:line:col: what; what to do instead``; registers that can saturate or wrap are listed, not refused.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from neuroemu.base.errors import FirmwareError
from neuroemu.chip.aer import CHANNELS
from neuroemu.chip.chip import Chip
from neuroemu.chip.width import Bits
from neuroemu.language import interval as iv
from neuroemu.language.evaluate import Evaluation, place_of
from neuroemu.language.interval import INT32, INT64, Interval
from neuroemu.language.isa import HOOKS, MAX_BATCH, MAX_TICKS
from neuroemu.language.language import REGISTER_KINDS, Argument, Function, Program

INPUT_RANGES = {
    "tick": Interval(0, MAX_TICKS - 1),
    "phase_tick": Interval(0, MAX_TICKS - 1),
    "phase": Interval(0, 255),
    "payload": INT32,
    "channel": Interval(0, 5),
    "value": INT32,
    "fired": Interval(0, 1),
    "batch": Interval(1, MAX_BATCH),
}


@dataclass(frozen=True)
class Overflow:
    """A register whose hook can compute what it does not hold."""

    register: str
    reach: Interval
    width: Bits

    def __str__(self) -> str:
        verb = "wraps" if self.width.wraps else "saturates"
        return f"{self.register} {verb} at {self.width.bits} bits, its value can reach {self.reach}"


@dataclass(frozen=True)
class HookProof:
    """What was proved of one hook: operations by class (both branches counted), whether 32 bits suffice, overflows."""

    operations: dict[str, int]
    fits_int32: bool
    overflows: tuple[Overflow, ...]


@dataclass(frozen=True)
class Proof:
    """A program's proof for one chip."""

    program: Program
    chip: str
    hooks: dict[str, HookProof]
    widths: dict[str, Bits] = field(default_factory=dict)
    """Width of every register and payload of the program on this chip; a ``sum`` has 64 bits."""


def check_program(
    program: Program,
    chip: Chip,
    known: Mapping[str, Interval] | None = None,
    posts: Mapping[str, Bits] | None = None,
) -> Proof:
    """Prove the program for the chip, or raise FirmwareError naming the line.

    Switches are taken as 0 or 1; fold them first (program.specialize) for the exact operation count. ``known`` narrows what
    parameters and ports can be, and ``posts`` gives the widths of the destination's registers, where an image says so.
    """
    return _Prover(program, chip, known or {}, posts or {}).prove()


class _Prover:
    def __init__(self, program: Program, chip: Chip, known: Mapping[str, Interval], posts: Mapping[str, Bits]) -> None:
        self.program = program
        self.chip = chip
        self.known = known
        self.posts = posts
        self.widths: dict[str, Bits] = {}
        self.contribution: dict[str, Interval] = {}
        """What every sum can be when a commit reads it."""
        for name, register in program.registers.items():
            width = self.widths[name] = self.register(program.arguments[name])
            if not Interval(register.init, register.init).within(iv.of_bits(width)):
                raise self.refuse(
                    register.place,
                    f"'{name}' starts at {register.init}, its {width.bits} bits hold {iv.of_bits(width)}; start within",
                )

    def refuse(self, place: tuple[int, int], text: str) -> FirmwareError:
        return FirmwareError(f"{self.program.path}:{place[0]}:{place[1]}: {text}")

    def prove(self) -> Proof:
        hooks = {name: self.hook(function) for name, function in self.program.hooks.items()}
        return Proof(self.program, self.chip.name, hooks, self.widths)

    # ---- widths
    def register(self, argument: Argument) -> Bits:
        """Width of a register: what the program asks for, within what the chip has."""
        if argument.kind == "sum":
            return Bits(64, 0)
        if argument.kind == "post" and argument.name in self.posts:
            return self.posts[argument.name]
        kind = "state" if argument.kind == "post" else argument.kind
        has = self.chip.bits(kind, argument.name)
        if has is None:
            raise self.refuse(
                argument.place,
                f"{self.chip.name} has no register '{argument.name}'; add {kind} to [core.registers] of its datasheet, or choose a chip "
                "that has it, such as generic45",
            )
        if not argument.limits:
            return has
        if argument.limits[0] > has.bits:
            raise self.refuse(
                argument.place,
                f"'{argument.name}' asks for {argument.limits[0]} bits, {self.chip.name} has {has.bits}; ask for {has.bits} or fewer",
            )
        return Bits(argument.limits[0], has.wraps)

    def range_of(self, argument: Argument, function: Function) -> Interval:
        """What the argument can be when the hook is called."""
        kind, name = argument.kind, argument.name
        if name in self.known and kind in ("param", "port"):
            return self.known[name]
        if kind == "input":
            return INPUT_RANGES.get(name, Interval(0, 1))
        if kind == "switch":
            return Interval(0, 1)
        if kind == "param":
            declared = Interval(*argument.limits) if argument.limits else INT32
            stated = self.chip.parameter(name)
            if stated is not None:
                both = Interval(max(declared.low, stated.min), min(declared.high, stated.max))
                declared = both if both.low <= both.high else declared
            return declared
        if kind == "table":
            return Interval(*argument.limits[1:]) if len(argument.limits) == 3 else INT32
        if kind == "sum":
            if HOOKS[function.name].end_of != "commit":
                return Interval(0, 0)  # read only to be added to; see `summed`
            return self.contribution.get(name, Interval(0, 0))
        if kind == "port":
            return iv.of_bits(self.port())
        if kind == "post":
            return iv.of_bits(self.register(argument))
        return iv.of_bits(self.widths[name])

    def port(self) -> Bits:
        return self.chip.port_width

    # ---- hooks
    def hook(self, function: Function) -> HookProof:
        evaluation = Evaluation(self, function)
        kinds = {argument.name: argument.kind for argument in function.arguments}
        for argument in function.arguments:
            if (
                argument.kind == "sum"
                and argument.name not in function.returns
                and not function.name.startswith("commit")
            ):
                raise self.refuse(
                    argument.place,
                    f"sum '{argument.name}' is read before the commit; add to it and return it, or read it in commit_synapse",
                )
            evaluation.bind(argument)
        for statement in function.node.body[:-1]:
            evaluation.statement(statement)
        overflows = []
        for name in function.returns:
            reach = evaluation.names[name]
            if kinds.get(name) == "sum":
                self.summed(function, name, reach)
                continue
            width = self.returned(function, name, kinds.get(name))
            if width is None:
                continue
            if not reach.within(iv.of_bits(width)):
                overflows.append(Overflow(name, reach, width))
        return HookProof(dict(evaluation.operations), evaluation.widest.within(INT32), tuple(overflows))

    def returned(self, function: Function, name: str, kind: str | None) -> Bits | None:
        """Width of what a returned name is stored in; None for a flag."""
        if kind in REGISTER_KINDS:
            return self.widths[name]
        if kind == "post":
            self.commutative(function, name)
            return self.register(self.program.arguments[name])
        if not name.endswith("_payload"):
            return None
        if not self.chip.payload_bits:
            raise self.refuse(
                place_of(function.node.body[-1]),
                f"'{name}' is returned, {self.chip.missing('graded_payload')}; "
                "send no payload, or choose a chip that carries one, such as generic45",
            )
        self.widths[name] = Bits(self.chip.payload_bits, 0)
        return self.widths[name]

    def summed(self, function: Function, name: str, reach: Interval) -> None:
        """A sum only ever grows by what does not depend on it, so that presentations can be added in any order."""
        self.additive(function, name, "sum")
        calls = MAX_BATCH * (1 if HOOKS[function.name].end_of == "presentation" else MAX_TICKS)
        if function.name == "arrive_synapse":
            calls *= len(CHANNELS)  # packets of a tick: one a channel
        known = self.contribution.get(name, Interval(0, 0))
        self.contribution[name] = iv.add(known, iv.multiply(reach, Interval(0, calls)))
        if not self.contribution[name].within(INT64):
            raise self.refuse(
                place_of(function.node.body[-1]),
                f"sum '{name}' can grow by {reach} at a time, past 64 bits over {calls} calls; shift or clamp what is added",
            )

    def commutative(self, function: Function, name: str) -> None:
        """Synapses write a neuron's register in no particular order."""
        self.additive(function, name, "post register", ("max", "min"))

    def additive(self, function: Function, name: str, what: str, also: tuple[str, ...] = ()) -> None:
        """Refuse unless the name is written once, as ``name = name + ...``, and read nowhere else."""
        writes = [node for node in ast.walk(function.node) if _assigns(node, name)]
        seen = sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(function.node))
        if writes and (len(writes) > 1 or seen != _mentions(writes[0], name, also, self.program.of_kind("switch"))):
            forms = f"{name} = {name} + ..." + "".join(f" or {name} = {f}({name}, ...)" for f in also)
            raise self.refuse(
                place_of(function.node),
                f"{what} '{name}' is not written once as {forms}, or is read elsewhere; the order of writers may not matter",
            )


def _assigns(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    return isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == name


def _mentions(write: ast.AST, name: str, also: tuple[str, ...], switches: tuple[str, ...]) -> int:
    """How often a hook whose one write of the name is commutative mentions it, the return included; 0 if it is not.

    A choice by a switch is commutative if both of its sides are: one of them is gone when the program runs.
    """
    if isinstance(write, ast.AugAssign):
        return 2 if isinstance(write.op, ast.Add | ast.Sub) else 0
    assert isinstance(write, ast.Assign)
    sides, value = [], write.value
    while isinstance(value, ast.IfExp) and isinstance(value.test, ast.Name) and value.test.id in switches:
        sides.append(value.body)
        value = value.orelse
    sides.append(value)
    return len(sides) + 2 if all(_adds(side, name, also) for side in sides) else 0


def _adds(value: ast.expr, name: str, also: tuple[str, ...]) -> bool:
    """Whether an expression is ``name + ...``, ``name - ...`` or one of the functions ``also`` of the name first."""
    first: ast.expr | None = None
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
        first = value.left
        while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add | ast.Sub):
            first = first.left
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in also:
        first = value.args[0]
    return isinstance(first, ast.Name) and first.id == name

"""Conditions to stop at, as people write them: ``out.v[3] > 100``, ``spike of out[2]``, ``p.weight[2, 3] changes``.

An expression holds integers, registers with an index, ``min`` ``max`` ``sum`` of a whole register, ``+ - *``, comparisons,
``and or not``, and ``presentation``, ``tick``, ``phase``. A name that is no Python name stands in quotes: ``"fc.1".v[3]``.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuroemu.base.errors import RunError, UnknownNameError
from neuroemu.base.shelf import unknown
from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.interpreted.neurons import Send
from neuroemu.inspect.inside import Cell, Inside
from neuroemu.language.grammar import literal

HINT = "write for example out.v[3] > 100, spike of out[2], p.weight[2, 3] changes, saturation in h.v"
MAX_LENGTH = 300
WHOLE: dict[str, Callable[[Any], Any]] = {"min": min, "max": max, "sum": sum}
_ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_COMPARE: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_OF = re.compile(r"""(\w+)\s+of\s+("[^"]*"|'[^']*'|[^\s\[\]"']+)\s*(?:\[([^\]]*)\])?\s*(.*)""", re.DOTALL)


@dataclass(eq=False)
class Condition:
    """A condition on one session. ``look`` is given what was sent in a tick and says what holds, None if nothing does.

    A *steady* one may hold for many ticks, and a break stops when it starts to; the others are things that happen.
    ``close`` it when it is not asked any more.
    """

    text: str
    look: Callable[[Sequence[Send]], str | None]
    steady: bool = False
    close: Callable[[], object] = lambda: None


def condition(text: str, inside: Inside, names: Mapping[str, Cell]) -> Condition:
    """Read a condition. ``names`` are plain numbers it may use, as ``tick``.

    Raises RunError or UnknownNameError with the condition and the column in it.
    """
    stripped = " ".join(text.split())
    if found := re.fullmatch(r"saturation\s+in\s+(.+)", stripped, re.DOTALL):
        return _saturation(stripped, found[1], inside)
    changing = re.fullmatch(r"(.*\S)\s+changes", stripped, re.DOTALL)
    of = _OF.fullmatch(changing[1] if changing else stripped)
    if of and of[1] in CHANNELS and not of[4] and not changing:
        return _sending(stripped, of, inside)
    reader = Reader(stripped, inside, names)
    if changing:
        change = _Change(reader.read(changing[1]), reader.cells, inside)
        return Condition(stripped, change.look, close=change.close)
    value = reader.read(stripped)

    def look(_sends: Sequence[Send]) -> str | None:
        return (reader.values() or stripped) if value() else None

    return Condition(stripped, look, steady=True)


def expression(text: str, inside: Inside, names: Mapping[str, Cell]) -> Cell:
    """Read an expression alone; calling the result gives its value now. Raises RunError, UnknownNameError."""
    text = " ".join(text.split())
    return Reader(text, inside, names).read(text)


class _Change:
    """A value, what it was when last looked at, and the hooks that changed the registers it reads since."""

    def __init__(self, value: Cell, cells: Sequence[tuple[str, str, list[int]]], inside: Inside) -> None:
        self.value, self.last = value, int(value())
        self.hooks: dict[str, None] = {}
        self.untap = [inside.tap(*cell, lambda hook: self.hooks.update({hook: None})) for cell in cells]

    def look(self, _sends: Sequence[Send]) -> str | None:
        last, self.last = self.last, int(self.value())
        hooks, self.hooks = self.hooks, {}
        by = f" by {', '.join(hooks)}" if hooks else ""
        return None if self.last == last else f"{last} -> {self.last}{by}"

    def close(self) -> None:
        for untap in self.untap:
            untap()


def _sending(text: str, of: re.Match[str], inside: Inside) -> Condition:
    channel, owner = of[1], of[2].strip("\"'")
    if owner not in inside.populations:
        raise _at(text, of.start(2), unknown("population", owner, inside.populations))
    number = inside.populations[owner]
    if not any(c == channel for n, c in _sent_on(inside) if n == number):
        sent = ", ".join(c for n, c in _sent_on(inside) if n == number) or "nothing"
        raise _at(text, 0, RunError(f"'{owner}' sends no {channel}; it sends {sent}"))
    neuron = None
    if of[3] is not None:
        if not of[3].strip().isdecimal():
            raise _at(text, of.start(3), RunError(f"[{of[3]}] is not the number of a neuron; write {owner}[2]"))
        try:
            neuron = inside.neuron(owner, int(of[3]))
        except RunError as error:
            raise _at(text, of.start(3), error) from None

    def look(sends: Sequence[Send]) -> str | None:
        found = [s for s in sends if (s.population, s.channel) == (number, channel) and neuron in (None, s.neuron)]
        return ", ".join(f"{owner}[{s.neuron}] sent payload {s.payload}" for s in found) or None

    return Condition(text, look)


def _sent_on(inside: Inside) -> list[tuple[int, str]]:
    found = []
    for number, population in enumerate(inside.image.populations):
        program = inside.image.program_of(population)
        found += [(number, channel) for channel in (program.channels if program else ("input",))]
    return found


def _saturation(text: str, target: str, inside: Inside) -> Condition:
    owner, _, register = target.replace('"', "").replace("'", "").rpartition(".")
    if owner not in inside.populations and owner not in inside.projections:
        owner, register = target.strip("\"'"), ""
    column = len(text) - len(target)
    try:
        names = [register] if register else inside.can_saturate(owner)
        seen = {name: inside.saturations(owner, name) for name in names}
    except UnknownNameError as error:
        raise _at(text, column, error) from None

    def look(_sends: Sequence[Send]) -> str | None:
        found = []
        for name, before in seen.items():
            seen[name] = inside.saturations(owner, name)
            found += [f"{place} did not hold its value" for place in sorted(seen[name] - before)]
        return ", ".join(found) or None

    return Condition(text, look)


class Reader:
    """Turns an expression into a function of no arguments. ``reads`` are the registers it reads, as written, ``cells`` those
    with an index."""

    def __init__(self, text: str, inside: Inside, names: Mapping[str, Cell]) -> None:
        self.text, self.inside, self.names = text, inside, names
        self.reads: dict[str, Cell] = {}
        self.cells: list[tuple[str, str, list[int]]] = []

    def values(self) -> str:
        """What the registers it reads hold now."""
        return ", ".join(f"{name} = {int(value())}" for name, value in self.reads.items())

    def read(self, source: str) -> Cell:
        """The expression's value as a function."""
        of = _OF.fullmatch(source)
        if of and of[3] is not None:  # weight of p[2, 3] is p.weight[2, 3]
            owner = of[2].strip("\"'")
            source = self.text = f"{owner if owner.isidentifier() else repr(owner)}.{of[1]}[{of[3]}] {of[4]}".strip()
        return self.value(self.parse(source))

    def parse(self, source: str) -> ast.expr:
        if len(source) > MAX_LENGTH:
            raise RunError(f"a condition of {len(source)} characters; {MAX_LENGTH} are the most")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of odd escapes and of 5and: they are refused or mean what they say
                return ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError) as error:
            odd = '; put a name that is no Python name in quotes, as "in".v[0]'
            column = (getattr(error, "offset", None) or len(self.text) + 1) - 1
            raise _at(self.text, column, RunError(f"not understood; {HINT}{odd}")) from None

    def value(self, node: ast.expr) -> Cell:
        if isinstance(node, ast.BoolOp):
            parts, every = [self.value(part) for part in node.values], isinstance(node.op, ast.And)
            return lambda: int(all(part() for part in parts) if every else any(part() for part in parts))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            operand, negate = self.value(node.operand), isinstance(node.op, ast.Not)
            return lambda: int(not operand()) if negate else -operand()
        if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
            sides = [self.value(side) for side in (node.left, *node.comparators)]
            tests = [_COMPARE[type(op)] for op in node.ops]
            return lambda: int(all(test(sides[i](), sides[i + 1]()) for i, test in enumerate(tests)))
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right, apply = self.value(node.left), self.value(node.right), _ARITHMETIC[type(node.op)]
            return lambda: apply(left(), right())
        return self.leaf(node)

    def leaf(self, node: ast.expr) -> Cell:
        number = literal(node)
        if number is not None:
            return lambda: number
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.names[node.id]
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
            owner, register = self.owner(node.value.value), node.value.attr
            index = [literal(k) for k in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])]
            numbers = [k for k in index if k is not None]
            if len(numbers) < len(index):
                raise self.at(
                    node.slice, RunError("an index is made of whole numbers; write out.v[3] or p.weight[2, 3]")
                )
            cell = self.reading(node, lambda: self.inside.cell(owner, register, numbers))
            self.cells.append((owner, register, numbers))
            return cell
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WHOLE:
            return self.whole(node, WHOLE[node.func.id])
        raise self.at(node, RunError(f"'{ast.unparse(node)}' is not understood; {HINT}"))

    def whole(self, node: ast.Call, fold: Callable[[Any], Any]) -> Cell:
        argument = node.args[0] if len(node.args) == 1 and not node.keywords else node
        if not isinstance(argument, ast.Attribute):
            raise self.at(node, RunError(f"'{ast.unparse(node)}' is not understood; write max(out.v), of one register"))
        owner, register = self.owner(argument.value), argument.attr

        def make() -> Cell:
            if not self.inside.register(owner, register).size:
                raise RunError(f"{owner}.{register} holds no numbers; name a register that does")
            return lambda: int(fold(self.inside.register(owner, register).ravel().tolist()))

        return self.reading(node, make)

    def reading(self, node: ast.expr, make: Callable[[], Cell]) -> Cell:
        try:
            cell = make()
        except (UnknownNameError, RunError) as error:
            raise self.at(node, error) from None
        self.reads[ast.unparse(node)] = cell
        return cell

    def owner(self, node: ast.expr) -> str:
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)

    def at(self, node: ast.AST, error: RunError | UnknownNameError) -> RunError | UnknownNameError:
        offset = getattr(node, "col_offset", 0)
        return _at(self.text, len(self.text.encode()[:offset].decode(errors="ignore")), error)


def _at(text: str, column: int, error: RunError | UnknownNameError) -> RunError | UnknownNameError:
    """The error with its place: the condition, and the column in it."""
    return type(error)(f"'{text}', column {column + 1}: {error}")

"""Evaluate a hook over intervals: what every name can be, the widest value on the way, operations by class."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from neuroemu.base.errors import FirmwareError
from neuroemu.chip.chip import Chip
from neuroemu.chip.width import Bits
from neuroemu.language import interval as iv
from neuroemu.language.interval import INT64, Interval
from neuroemu.language.isa import CHANNEL_CONSTANTS, OPERATION_CLASSES, OPERATIONS
from neuroemu.language.language import Argument, Function, Program

_ARITHMETIC: dict[type[ast.operator], Callable[[Interval, Interval], Interval]] = {
    ast.Add: iv.add,
    ast.Sub: iv.subtract,
    ast.Mult: iv.multiply,
}


class Prover(Protocol):
    """What the evaluation asks of the checker."""

    program: Program
    chip: Chip
    widths: dict[str, Bits]

    def refuse(self, place: tuple[int, int], text: str) -> FirmwareError:
        """The error for a place."""

    def range_of(self, argument: Argument, function: Function) -> Interval:
        """What an argument can be when the hook is called."""


MAX_STEPS = 20_000
"""Values a hook may compute: no core does so much in a tick, and helpers that call helpers double with every level."""


class Evaluation:
    """One hook evaluated over intervals, its operations counted."""

    def __init__(self, prover: Prover, function: Function) -> None:
        self.prover = prover
        self.function = function
        self.names: dict[str, Interval] = {
            name: Interval(value, value) for name, value in (prover.program.constants | CHANNEL_CONSTANTS).items()
        }
        self.tables: dict[str, Argument] = {}
        self.widths: dict[str, Bits] = {}
        self.keys: set[str] = set()
        self.operations: Counter[str] = Counter(dict.fromkeys(OPERATION_CLASSES, 0))
        self.widest = Interval(0, 0)
        self.steps = 0

    def bind(self, argument: Argument) -> None:
        if argument.kind == "key":
            self.keys.add(argument.name)
        elif argument.kind == "width":
            self.widths[argument.name] = self.width(argument)
        else:
            if argument.kind == "table":
                self.tables[argument.name] = argument
            self.names[argument.name] = self.seen(self.prover.range_of(argument, self.function))
            if argument.kind == "sum":
                self.seen(INT64)

    def width(self, argument: Argument) -> Bits:
        register = argument.name.removesuffix("_width")
        if register == argument.name or register not in self.prover.widths:
            raise self.prover.refuse(
                argument.place,
                f"width '{argument.name}' belongs to no register; call it <register>_width after a register of this program",
            )
        return self.prover.widths[register]

    def seen(self, value: Interval) -> Interval:
        self.widest = self.widest.hull(value)
        return value

    def refuse(self, node: ast.AST, text: str) -> FirmwareError:
        return self.prover.refuse(place_of(node), text)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            assert isinstance(target, ast.Name)
            self.assign(target.id, self.value(node.value))
        elif isinstance(node, ast.AugAssign):
            assert isinstance(node.target, ast.Name)
            binary = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
            self.assign(node.target.id, self.value(ast.copy_location(ast.fix_missing_locations(binary), node)))

    def assign(self, name: str, value: Interval) -> None:
        """Give a name a number; a helper's table, width or key of that name is gone."""
        self.names[name] = value
        self.tables.pop(name, None)
        self.widths.pop(name, None)
        self.keys.discard(name)

    def value(self, node: ast.expr) -> Interval:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise self.refuse(
                node,
                f"hook computes more than {MAX_STEPS} values, helpers counted as often as they are called; make it shorter",
            )
        result = self.evaluate(node)
        if not result.within(INT64):
            raise self.refuse(
                node,
                f"`{ast.unparse(node)}` can reach {result}, past 64 bits on {self.prover.chip.name}; "
                "narrow an operand with fit or clamp, or shift it first",
            )
        return self.seen(result)

    def evaluate(self, node: ast.expr) -> Interval:
        if isinstance(node, ast.Constant):
            assert isinstance(node.value, int)
            return Interval(node.value, node.value)
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.operand, ast.Constant):
                return iv.negate(self.value(node.operand))
            self.operations["add"] += 1
            return iv.negate(self.value(node.operand))
        if isinstance(node, ast.BinOp):
            left, right = self.value(node.left), self.value(node.right)
            self.operations["multiply" if isinstance(node.op, ast.Mult) else "add"] += 1
            return _ARITHMETIC[type(node.op)](left, right)
        if isinstance(node, ast.IfExp):
            return self.conditional(node)
        if isinstance(node, ast.Subscript):
            return self.lookup(node)
        assert isinstance(node, ast.Call)
        return self.call(node)

    def name(self, node: ast.Name) -> Interval:
        if node.id in self.keys:
            raise self.refuse(node, f"key '{node.id}' used as a number; pass it to uniform or shift_stochastic")
        if node.id in self.widths:
            raise self.refuse(node, f"width '{node.id}' used as a number; pass it to fit")
        if node.id in self.tables:
            raise self.refuse(node, f"table '{node.id}' used as a number; write {node.id}[index]")
        return self.names[node.id]

    # ---- conditionals
    def conditional(self, node: ast.IfExp) -> Interval:
        self.test(node.test)
        results = []
        for branch, truth in ((node.body, True), (node.orelse, False)):
            before = self.names
            narrowed = self.refine(node.test, truth)
            self.names = before if narrowed is None else before | narrowed
            value = self.value(branch)
            self.names = before
            if narrowed is not None:
                results.append(value)
        return results[0].hull(results[-1])

    def test(self, node: ast.expr) -> None:
        if isinstance(node, ast.Compare):
            self.operations["compare"] += len(node.ops)
            for side in (node.left, *node.comparators):
                self.value(side)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                self.test(value)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.test(node.operand)
        elif isinstance(node, ast.IfExp):
            for part in (node.test, node.body, node.orelse):
                self.test(part)
        else:
            self.value(node)

    def refine(self, node: ast.expr, truth: bool) -> dict[str, Interval] | None:
        """What the test's outcome says of the names in it; None if it cannot come out so."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.refine(node.operand, not truth)
        if isinstance(node, ast.Compare) and len(node.ops) > 1:  # a < b < c is a < b and b < c
            pairs = zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)
            return self.refine(ast.BoolOp(ast.And(), [ast.Compare(a, [op], [b]) for a, op, b in pairs]), truth)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And) == truth:
            return self.refine_all(node.values, truth)
        if isinstance(node, ast.Name):
            return self.narrow(node, ast.NotEq, Interval(0, 0), truth)
        if not isinstance(node, ast.Compare):
            return {}
        operator, left, right = type(node.ops[0]), node.left, node.comparators[0]
        if not isinstance(left, ast.Name) and not isinstance(right, ast.Name):
            return {}
        saved, self.operations = self.operations, Counter()
        a, b = self.value(left), self.value(right)
        self.operations = saved
        known: dict[str, Interval] = {}
        for side, op, bound in ((left, operator, b), (right, iv.mirrored(operator), a)):
            if isinstance(side, ast.Name):
                more = self.narrow(side, op, bound, truth)
                if more is None:
                    return None
                known |= more
        return known

    def refine_all(self, nodes: list[ast.expr], truth: bool) -> dict[str, Interval] | None:
        """What tests that all come out the same say together: each starts from what the ones before it said."""
        before, known = self.names, dict[str, Interval]()
        for node in nodes:
            more = self.refine(node, truth)
            known |= more or {}
            self.names = before | known
            if more is None:
                break
        self.names = before
        return None if more is None else known

    def narrow(
        self, node: ast.Name, operator: type[ast.cmpop], bound: Interval, truth: bool
    ) -> dict[str, Interval] | None:
        result = iv.compare(self.name(node), operator, bound, truth)
        return None if result is None else {node.id: result}

    # ---- calls
    def lookup(self, node: ast.Subscript) -> Interval:
        assert isinstance(node.value, ast.Name)
        table = self.tables.get(node.value.id)
        if table is None:
            raise self.refuse(node, f"'{node.value.id}' is not a table; declare it Table(length)")
        index, length = self.value(node.slice), table.limits[0]
        if not index.within(Interval(0, length - 1)):
            raise self.refuse(
                node,
                f"index of '{node.value.id}' can be {index}, the table has entries 0..{length - 1}; clamp the index",
            )
        self.operations["lookup"] += 1
        return self.names[node.value.id]

    def call(self, node: ast.Call) -> Interval:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name in self.prover.program.helpers:
            return self.helper(self.prover.program.helpers[name], node)
        self.operations.update(OPERATIONS[name])
        if name in ("min", "max"):
            self.operations["compare"] += len(node.args) - 2
        if name == "fit":
            return self.fit(node)
        arguments = []
        for position, argument in enumerate(node.args):
            if _is_key(name, position):
                if not isinstance(argument, ast.Name) or argument.id not in self.keys:
                    raise self.refuse(
                        argument, f"'{name}' needs the hook's key here; declare an argument `key: Key` and pass it"
                    )
                continue
            arguments.append(self.value(argument))
        positions = [p for p in range(len(node.args)) if not _is_key(name, p)]
        if name == "uniform":
            arguments = arguments[1:]  # the draw only selects
            positions = positions[1:]
        elif name == "shift_stochastic":
            arguments = arguments[:2]
        for place, allowed in iv.DOMAIN.get(name, {}).items():
            if not arguments[place].within(allowed):
                raise self.refuse(
                    node.args[positions[place]],
                    f"`{ast.unparse(node.args[positions[place]])}` can be {arguments[place]}, {name} takes {allowed}; "
                    "declare the parameter's range, Param(low, high), or clamp it",
                )
            if arguments[place].high > 30 and allowed is iv.DISTANCE:
                self.seen(INT64)  # a 32-bit shift by more is undefined
        result, inner = iv.TRANSFER[name](*arguments)
        for value in inner:
            if not self.seen(value).within(INT64):
                raise self.refuse(
                    node,
                    f"`{ast.unparse(node)}` reaches {value} on the way, past 64 bits on {self.prover.chip.name}; narrow its operand first",
                )
        return result

    def fit(self, node: ast.Call) -> Interval:
        width = node.args[1]
        value = self.value(node.args[0])
        if not isinstance(width, ast.Name) or width.id not in self.widths:
            raise self.refuse(width, "fit needs a width; declare an argument `<register>_width: Width` and pass it")
        whole = iv.of_bits(self.widths[width.id])
        if value.within(whole):
            return value
        if self.widths[width.id].wraps:
            return whole
        return iv.minimum(iv.maximum(value, Interval(whole.low, whole.low)), Interval(whole.high, whole.high))

    def helper(self, function: Function, node: ast.Call) -> Interval:
        outer, tables, widths, keys = self.names, self.tables, self.widths, self.keys
        inner = {name: Interval(v, v) for name, v in (self.prover.program.constants | CHANNEL_CONSTANTS).items()}
        inner_tables, inner_widths, inner_keys = {}, {}, set()
        for argument, value in zip(function.arguments, node.args, strict=True):
            if isinstance(value, ast.Name) and value.id in keys:
                inner_keys.add(argument.name)
            elif isinstance(value, ast.Name) and value.id in widths:
                inner_widths[argument.name] = widths[value.id]
            elif isinstance(value, ast.Name) and value.id in tables:
                inner_tables[argument.name] = tables[value.id]
                inner[argument.name] = outer[value.id]
            else:
                inner[argument.name] = self.value(value)
        self.names, self.tables, self.widths, self.keys = inner, inner_tables, inner_widths, inner_keys
        for statement in function.node.body[:-1]:
            self.statement(statement)
        last = function.node.body[-1]
        assert isinstance(last, ast.Return)
        assert last.value is not None
        result = self.value(last.value)
        self.names, self.tables, self.widths, self.keys = outer, tables, widths, keys
        return result


def _is_key(name: str, position: int) -> bool:
    return (name == "uniform" and position == 0) or (name == "shift_stochastic" and position == 2)


def place_of(node: ast.AST) -> tuple[int, int]:
    """Line and column, both from 1."""
    return getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1

"""What an expression of the firmware language may be: integers, + - *, comparisons, a if t else b, tables, intrinsics."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

from neuroemu.base.errors import FirmwareError
from neuroemu.language.isa import INTRINSICS

BUILTINS = {"min": (2, 8), "max": (2, 8), "abs": (1, 1)}
"""Python functions a program may call, with how many arguments they take."""
_ARITY = {name: function.__code__.co_argcount for name, function in INTRINSICS.items()}
_COMPARISONS = ast.Eq | ast.NotEq | ast.Lt | ast.LtE | ast.Gt | ast.GtE
_ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_OPERATORS = {
    ast.Div: "division",
    ast.FloorDiv: "division",
    ast.Mod: "remainder",
    ast.Pow: "power",
    ast.LShift: "shift operator",
    ast.RShift: "shift operator",
    ast.MatMult: "matrix product",
}


_LEAVES = ast.operator | ast.unaryop | ast.boolop | ast.cmpop | ast.expr_context
MAX_DEPTH = 64
"""Levels of nesting in a file: more than anyone reads, and well below where Python's parser or a walk over the tree gives up."""


def parse(source: str, path: str) -> ast.Module:
    """The file's syntax tree; it is never imported or run."""
    deep = f"nested more than {MAX_DEPTH} levels deep; give the inner expressions names of their own"
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise FirmwareError(
            f"{path}:{error.lineno or 1}:{error.offset or 1}: not Python ({error.msg}); correct the syntax"
        ) from None
    except ValueError as error:
        raise FirmwareError(f"{path}:1:1: not Python ({error}); save it as plain UTF-8 text") from None
    except (RecursionError, MemoryError):
        raise FirmwareError(f"{path}:1:1: {deep}") from None
    nodes: list[tuple[ast.AST, int]] = [(tree, 0)]
    for node, depth in nodes:
        if depth > MAX_DEPTH:
            raise Expressions(path, {}, {}).at(node, deep)
        nodes += [(child, depth + 1) for child in ast.iter_child_nodes(node) if not isinstance(child, _LEAVES)]
    return tree


class Expressions:
    """Refuses what the language lacks. ``helpers`` maps the helpers seen so far to their number of arguments."""

    def __init__(self, path: str, helpers: Mapping[str, int], constants: Mapping[str, int]) -> None:
        self.path = path
        self.helpers = helpers
        self.constants = constants

    def at(self, node: ast.AST, text: str) -> FirmwareError:
        """The error for a place in the file."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        return FirmwareError(f"{self.path}:{line}:{column + 1}: {text}")

    def expression(self, node: ast.expr, known: set[str], want: str = "int") -> None:
        """Accept an expression of type ``want``: ``int`` or ``test`` (a comparison, and/or/not, or an integer tested for non-zero)."""
        if isinstance(node, ast.Compare | ast.BoolOp) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            if want != "test":
                raise self.at(node, f"truth value used as a number; write (1 if {ast.unparse(node)} else 0)")
            return self.test(node, known)
        if isinstance(node, ast.Constant):
            value = literal(node)
            if value is None:
                raise self.at(node, f"{node.value!r} is not an integer; scale it and use an integer")
            self.within(node, value)
            return None
        if isinstance(node, ast.Name):
            if node.id not in known:
                raise self.at(
                    node, f"'{node.id}' is not an argument, a constant or an earlier name; declare or assign it"
                )
            return None
        if isinstance(node, ast.BinOp):
            if type(node.op) not in _ARITHMETIC:
                raise self.at(node, f"{_OPERATORS.get(type(node.op), 'bit operator')}; {_instead(node.op)}")
            self.expression(node.left, known)
            return self.expression(node.right, known)
        if isinstance(node, ast.UnaryOp):
            if not isinstance(node.op, ast.USub):
                raise self.at(node, "operator ~ or unary +; use - * + and the intrinsics")
            return self.expression(node.operand, known)
        if isinstance(node, ast.IfExp):
            self.expression(node.test, known, "test")
            self.expression(node.body, known, want)
            return self.expression(node.orelse, known, want)
        if isinstance(node, ast.Call):
            return self.call(node, known)
        if isinstance(node, ast.Subscript):
            if not isinstance(node.value, ast.Name) or isinstance(node.slice, ast.Slice | ast.Tuple):
                raise self.at(node, "subscript of something else than a table; write table[index]")
            self.expression(node.value, known)
            return self.expression(node.slice, known)
        raise self.at(
            node,
            f"{type(node).__name__.lower()} expression; use integers, + - *, comparisons, a if t else b and intrinsics",
        )

    def constant(self, node: ast.expr) -> int:
        """An integer literal, or a sum, difference or product of such and of constants."""
        value = literal(node)
        if value is not None:
            return self.within(node, value)
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.constants[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.constant(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right = self.constant(node.left), self.constant(node.right)
            return self.within(node, _ARITHMETIC[type(node.op)](left, right))
        raise self.at(node, "not an integer constant; write an integer, or + - * of integers")

    def within(self, node: ast.AST, value: int) -> int:
        """The value of a constant, if it has 64 bits at most."""
        if not -(1 << 63) <= value < 1 << 63:
            raise self.at(node, "constant past 64 bits; use a smaller one")
        return value

    def test(self, node: ast.expr, known: set[str]) -> None:
        if isinstance(node, ast.Compare):
            if any(not isinstance(op, _COMPARISONS) for op in node.ops):
                raise self.at(node, "comparison is not one of == != < <= > >=; use one of these")
            for side in (node.left, *node.comparators):
                self.expression(side, known)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                self.expression(value, known, "test")
        elif isinstance(node, ast.UnaryOp):
            self.expression(node.operand, known, "test")

    def call(self, node: ast.Call, known: set[str]) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise self.at(node, f"'{name}' called with keywords or a star; use plain arguments")
        if name in BUILTINS:
            low, high = BUILTINS[name]
        elif name in _ARITY:
            low = high = _ARITY[name]
        elif name in self.helpers:
            low = high = self.helpers[name]
        else:
            raise self.at(
                node,
                f"call of '{name}'; the functions are {', '.join([*INTRINSICS, *BUILTINS])} and helpers defined above",
            )
        if not low <= len(node.args) <= high:
            takes = f"{low if low == high else f'{low} to {high}'} argument{'s' * (high > 1)}"
            raise self.at(node, f"'{name}' takes {takes}, not {len(node.args)}; see neuroemu/isa.py")
        for arg in node.args:
            self.expression(arg, known)


def _instead(op: ast.operator) -> str:
    if isinstance(op, ast.LShift | ast.RShift):
        return "use shift_left, shift_floor, shift_zero, shift_round or shift_away, whose name says how it rounds"
    if isinstance(op, ast.Div | ast.FloorDiv | ast.Mod):
        return "cores have no divider: use a shift or a table of reciprocals"
    return "use + - * and the intrinsics"


def literal(node: ast.expr) -> int | None:
    """The value of an integer literal, None for anything else (True and False included)."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None

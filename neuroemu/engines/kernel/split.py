"""Statements of a soma hook that a kernel runs apart from the loop over all neurons, so that this loop becomes SIMD.

``q = reciprocal(g) if spike else q`` looks a table up where a neuron spiked, and nowhere else: a processor's SIMD lanes would all have
to. Such a statement gives one register a value that costs much, or leaves it as it is.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from neuroemu.engines.kernel.layout import Owner
from neuroemu.language.language import Program

COSTLY = ("leading_one", "uniform", "shift_stochastic")
"""Intrinsics of many operations, or in 64 bits; look-ups cost as much."""
RELOADED = ("param", "input", "key", "table")
"""Arguments that are the same whenever they are loaded."""


@dataclass(frozen=True)
class Apart:
    """A statement of a hook: its place, the register, the names its costly value needs.

    ``otherwise``: the register changes where the test does *not* hold. ``spilled``: needs that the loop over all neurons must leave
    behind for a later pass.
    """

    place: int
    register: str
    otherwise: bool
    needs: frozenset[str]
    spilled: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Statements that run before the loop over all neurons, for all or for none of them, and after it, for some."""

    early: tuple[Apart, ...] = ()
    late: tuple[Apart, ...] = ()

    @property
    def places(self) -> frozenset[int]:
        """Statements that the loop leaves out."""
        return frozenset(part.place for part in (*self.early, *self.late))

    @property
    def registers(self) -> frozenset[str]:
        """Registers that the loop does not store."""
        return frozenset(part.register for part in (*self.early, *self.late))


def split(owner: Owner, hook: str) -> Split:
    """What of a hook runs apart."""
    function = owner.program.hooks[hook]
    body = [s for s in function.node.body[:-1] if not isinstance(s, ast.Expr)]
    kinds = {argument.name: argument.kind for argument in function.arguments}
    written = [_written(statement) for statement in body]
    read = [_read(statement) for statement in body]
    early, late = [], []
    for k, statement in enumerate(body):
        found = _costly_choice(statement, owner.program)
        if found is None or kinds.get(written[k]) not in ("state", "keep") or written.count(written[k]) > 1:
            continue
        register, (test, value, otherwise) = written[k], found
        known = {name for name, kind in kinds.items() if kind != "width"} | set(written)
        needs = frozenset(_names(value) & known)
        before = set(written[:k])
        same = {name for name, kind in kinds.items() if kind == "input" or isinstance(owner.params.get(name), int)}
        if (
            _names(test) & known <= same - set(written)
            and not needs & before
            and not any(kinds[name] == "port" for name in needs)
            and not any(register in names for names in read[:k])
            and register not in owner.overflows(hook)
        ):
            early.append(Apart(k, register, otherwise, needs, ()))
        elif not any(register in names for names in read[k + 1 :]):
            spilled = sorted(n for n in needs - {register} if kinds.get(n) not in RELOADED or n in written)
            late.append(Apart(k, register, otherwise, needs, tuple(spilled)))
    return Split(tuple(early), tuple(late))


def _costly_choice(statement: ast.stmt, program: Program) -> tuple[ast.expr, ast.expr, bool] | None:
    """Test, costly value, and whether that is taken where the test does not hold; None if the statement is no such choice."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.IfExp):
        return None
    name, choice = _written(statement), statement.value
    for value, other, otherwise in ((choice.body, choice.orelse, False), (choice.orelse, choice.body, True)):
        if isinstance(other, ast.Name) and other.id == name and _costs(value, program):
            return choice.test, value, otherwise
    return None


def _costs(node: ast.AST, program: Program) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript):
            return True
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            helper = program.helpers.get(part.func.id)
            if part.func.id in COSTLY or (helper is not None and _costs(helper.node, program)):
                return True
    return False


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _written(statement: ast.stmt) -> str:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    return target.id if isinstance(target, ast.Name) else ""


def _read(statement: ast.stmt) -> set[str]:
    """Names a statement reads; what it adds to is read too."""
    value = getattr(statement, "value", None)
    own = {_written(statement)} if isinstance(statement, ast.AugAssign) else set()
    return own | (_names(value) if value is not None else set())


def taken(line: str, part: Apart) -> tuple[str, str]:
    """Test and costly value of a statement as it was written into a kernel; the test holds where the value is taken."""
    statement = ast.parse(line).body[0]
    assert isinstance(statement, ast.Assign)
    assert isinstance(statement.value, ast.IfExp)
    test, first, second = (
        ast.unparse(node) for node in (statement.value.test, statement.value.body, statement.value.orelse)
    )
    return (f"not ({test})", second) if part.otherwise else (test, first)

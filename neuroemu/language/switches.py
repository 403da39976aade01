"""Fold a program's switches away: what a switch rules out is neither checked nor run, counted or priced."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neuroemu.base.errors import FirmwareError
from neuroemu.language.frozen import sliced
from neuroemu.language.isa import HOOKS
from neuroemu.language.language import Function, Program


def whole(switches: Mapping[str, Any]) -> dict[str, Any]:
    """Switches as integers: True, 1.0 and NumPy's numbers are 1, and an image's file takes nothing else. What is neither 0 nor 1 stays."""
    return {
        name: int(value) if isinstance(value, int | float | np.generic) and value in (0, 1) else value
        for name, value in switches.items()
    }


def specialize(program: Program, switches: Mapping[str, int]) -> Program:
    """The program with all its switches folded away: branches not taken are gone, and neither counted nor priced.

    ``switches`` gives 0 or 1 by name; a switch that is left out is 0. A name that is no switch raises FirmwareError.
    """
    return fold(program, {**dict.fromkeys(program.of_kind("switch"), 0), **switches})


def fold(program: Program, switches: Mapping[str, int]) -> Program:
    """The program with these switches folded away, others left as they are. Raises FirmwareError for what is no switch.

    Of a rule, registers, parameters and hooks that only an untaken branch used are gone too. A neuron keeps all of its registers
    and parameters: rules, probes and ranks may read them.
    """
    known, switches = program.of_kind("switch"), whole(switches)
    for name, value in switches.items():
        if name not in known:
            raise FirmwareError(
                f"{program.path}:1:1: program '{program.name}' has no switch '{name}'; it has: {', '.join(known) or 'none'}"
            )
        if not isinstance(value, int) or value not in (0, 1):
            raise FirmwareError(
                f"{program.path}:1:1: switch '{name}' of '{program.name}' is {value!r}; a switch is 0 or 1"
            )
    if not switches:
        return program
    hooks = {}
    for name, function in program.hooks.items():
        node = copy.deepcopy(function.node)
        node.body = _fold_body(node.body, switches)
        arguments = tuple(argument for argument in function.arguments if argument.name not in switches)
        hooks[name] = replace(function, arguments=arguments, node=node)
    remaining = {name: argument for name, argument in program.arguments.items() if name not in switches}
    gate = {
        hook: names
        for hook, names in program.gate.items()
        if not any(switches.get(switch) for switch in program.ungated.get(hook, ()))
    }
    folded = replace(program, hooks=hooks, arguments=remaining, gate=gate)
    return folded if HOOKS[next(iter(hooks))].level == "neuron" else _used(folded, program)


def _used(program: Program, whole: Program) -> Program:
    """A folded rule without what nothing uses any more that ``whole``, the rule before, did. A gate's register goes with its last use."""
    hooks = {}
    for name, function in program.hooks.items():
        before = whole.hooks[name]
        results = tuple(n for n in function.returns if _changes(function, n) or not _changes(before, n))
        if results:
            kept = sliced(function, results)
            gone = _mentioned(before) - _mentioned(kept) - set(results)
            hooks[name] = replace(kept, arguments=tuple(a for a in function.arguments if a.name not in gone))
    used = {argument.name for function in hooks.values() for argument in function.arguments}
    arguments = {name: argument for name, argument in program.arguments.items() if name in used}
    registers = {name: register for name, register in program.registers.items() if name in used}
    left = replace(program, hooks=hooks, arguments=arguments, registers=registers)
    gate = {
        hook: tuple(name for name in names if left.level_of(name))
        for hook, names in program.gate.items()
        if hook in hooks
    }
    return replace(left, gate={hook: names for hook, names in gate.items() if names})


def _mentioned(function: Function) -> set[str]:
    """Names that a hook's statements read or write; what it only declares, for a gate say, is not among them."""
    return {node.id for step in function.node.body[:-1] for node in ast.walk(step) if isinstance(node, ast.Name)}


def _changes(function: Function, name: str) -> bool:
    """Whether the hook writes the name: ``x = x`` is what folding leaves of a write that the switch rules out."""
    return any(
        ast.unparse(statement.target if isinstance(statement, ast.AugAssign) else statement.targets[0]) == name
        for statement in function.node.body
        if isinstance(statement, ast.AugAssign)
        or (isinstance(statement, ast.Assign) and ast.unparse(statement) != f"{name} = {name}")
    )


class _Fold(ast.NodeTransformer):
    """Replaces names by constants and drops the branches that can no longer be taken."""

    def __init__(self, values: Mapping[str, int]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.values and isinstance(node.ctx, ast.Load):
            return ast.copy_location(ast.Constant(self.values[node.id]), node)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        truth = _truth(node.test)
        return node if truth is None else (node.body if truth else node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        absorbing = isinstance(node.op, ast.Or)
        rest = [value for value in node.values if _truth(value) is not (not absorbing)]
        if any(_truth(value) is absorbing for value in rest):
            return ast.copy_location(ast.Constant(int(absorbing)), node)
        if len(rest) == 1:
            return rest[0]
        return ast.copy_location(ast.BoolOp(node.op, rest) if rest else ast.Constant(int(not absorbing)), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        truth = _truth(node.operand)
        if isinstance(node.op, ast.Not) and truth is not None:
            return ast.copy_location(ast.Constant(int(not truth)), node)
        return node


def _truth(node: ast.expr) -> bool | None:
    return bool(node.value) if isinstance(node, ast.Constant) else None


def _fold_body(body: list[ast.stmt], switches: Mapping[str, int]) -> list[ast.stmt]:
    """Fold statement by statement; a name that is a constant for now is folded into what follows."""
    values = dict(switches)
    folded = []
    for statement in body:
        new = statement if isinstance(statement, ast.Return) else _Fold(values).visit(statement)
        if isinstance(new, ast.Assign) and isinstance(new.targets[0], ast.Name):
            name = new.targets[0].id
            if isinstance(new.value, ast.Constant) and isinstance(new.value.value, int):
                values[name] = new.value.value
            else:
                values.pop(name, None)
        elif isinstance(new, ast.AugAssign) and isinstance(new.target, ast.Name):
            values.pop(new.target.id, None)
        folded.append(new)
    return folded

"""A program that no longer learns: what only serves to change its Weight registers is gone, and neither run nor priced.

A hook stays if it writes something that somebody else reads: a neuron's state and what it sends, or, for a rule, a register of the
destination soma. Everything a staying hook reads stays too. So an error still passes through a frozen layer, and its traces cost
nothing.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import replace

from neuroemu.language.language import LASTING, Function, Program


def without_learning(program: Program) -> Program:
    """The program without writes to its Weight registers and without whatever only led to them."""
    wanted = {name for name, argument in program.arguments.items() if argument.kind == "post"}
    if program.is_neuron:
        wanted |= {name for name, register in program.registers.items() if register.kind not in ("weight", "sum")}
    hooks: dict[str, Function] = {}
    while True:
        for name, function in program.hooks.items():
            kept = _results(program, function, wanted)
            if kept:
                hooks[name] = sliced(function, kept)
        read = {argument.name for function in hooks.values() for argument in function.arguments}
        read |= {name for hook in hooks for name in program.gate.get(hook, ())}
        if read <= wanted:
            break
        wanted |= read
    ordered = {name: hooks[name] for name in program.hooks if name in hooks}
    registers = {n: register for n, register in program.registers.items() if n in read or register.kind in LASTING}
    if program.is_neuron:
        registers |= {n: register for n, register in program.registers.items() if register.kind != "sum"}
    gate = {hook: names for hook, names in program.gate.items() if hook in ordered}
    in_order = {name: registers[name] for name in program.registers if name in registers}
    return replace(program, hooks=ordered, gate=gate, online=False, registers=in_order)


def _results(program: Program, function: Function, wanted: set[str]) -> tuple[str, ...]:
    """What of a hook's results anybody asks for: registers but the weights, and all that is no register, which is sent."""
    own = program.registers
    return tuple(
        name
        for name in function.returns
        if (name in wanted and not (name in own and own[name].kind == "weight"))
        or (name not in own and name not in program.arguments)
    )


def sliced(function: Function, results: tuple[str, ...]) -> Function:
    """The hook with the statements that these results need. A hook is assignments and a return, so one walk backwards finds them."""
    node = copy.deepcopy(function.node)
    needed = set(results)
    body: list[ast.stmt] = []
    for statement in reversed(node.body[:-1]):
        if isinstance(statement, ast.Expr):
            body.append(statement)  # the doc string
            continue
        assert isinstance(statement, ast.Assign | ast.AugAssign)
        target = statement.target if isinstance(statement, ast.AugAssign) else statement.targets[0]
        assert isinstance(target, ast.Name)
        if target.id not in needed:
            continue
        if isinstance(statement, ast.Assign):
            needed.discard(target.id)
        needed |= {name.id for name in ast.walk(statement.value) if isinstance(name, ast.Name)}
        body.append(statement)
    last = node.body[-1]
    assert isinstance(last, ast.Return)
    last.value = ast.copy_location(ast.Tuple([ast.Name(name, ast.Load()) for name in results], ast.Load()), last)
    node.body = [*reversed(body), ast.fix_missing_locations(last)]
    arguments = tuple(argument for argument in function.arguments if argument.name in {*needed, *results})
    return replace(function, arguments=arguments, returns=results, node=node)

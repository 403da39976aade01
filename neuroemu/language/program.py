"""From a program's name to callables: read it, run it as Python or write it out for Numba (switches are folded in switches.py)."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Mapping
from typing import Any

from neuroemu.base.errors import FirmwareError
from neuroemu.base.shelf import find_program, read_text, unknown
from neuroemu.chip.width import Bits
from neuroemu.language.grammar import BUILTINS
from neuroemu.language.isa import CHANNEL_CONSTANTS, HOOKS, INTRINSICS, RANDOM_SOURCE, source_of
from neuroemu.language.language import Function, Program
from neuroemu.language.reader import read_file, read_programs
from neuroemu.language.switches import fold
from neuroemu.language.switches import specialize as specialize

HookCallable = Callable[..., tuple[int, ...]]

CALLEE = "@njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)"
"""Decorator of functions that only a kernel calls: they allocate nothing, and without ``_nrt=False`` would count references."""

NARROW_INTRINSICS = (
    "clamp",
    "shift_left",
    "shift_floor",
    "shift_zero",
    "shift_round",
    "shift_away",
    "decay_to_zero",
)
"""Intrinsics that also exist in 32 bits; the others compute in 64 and are cast."""


def load_program(name: str | os.PathLike[str]) -> Program:
    """The program of that name: ``lif``, ``sfdfa.hidden``, ``./mine.py``, or an alias, whose switches are folded then.

    Raises UnknownNameError, FileError, FirmwareError.
    """
    path, member = find_program(name)
    source = read_text(path)
    alias = read_file(source, str(path), member.partition(".")[0]).aliases.get(member)
    if alias is None:
        return parse_program(source, str(path), member)
    return fold(parse_program(source, str(path), alias.program), alias.switches)


def parse_program(source: str, path: str, name: str) -> Program:
    """One program of a firmware file's text; aliases are none (see ``own_name``)."""
    programs = read_programs(source, path, name.partition(".")[0])
    if name not in programs:
        raise unknown("program", name, [*programs, *read_file(source, path, name.partition(".")[0]).aliases])
    return programs[name]


def own_name(name: str, switches: Mapping[str, int]) -> tuple[str, dict[str, int]]:
    """A program's own name, and its switches: an alias of its file (ALIASES) stands for both.

    ``stdp.nearest`` is ``stdp.synapse`` with switch nearest=1. ``switches`` are those given beside the name; FirmwareError if they
    contradict it. Raises UnknownNameError, FileError, FirmwareError.
    """
    path, member = find_program(name)
    alias = read_file(read_text(path), str(path), member.partition(".")[0]).aliases.get(member)
    if alias is None:
        return name, dict(switches)
    for switch, value in alias.switches.items():
        if switches.get(switch, value) != value:
            raise FirmwareError(
                f"{path}:1:1: '{name}' is '{alias.program}' with {switch}={value}, switches say {switch}={switches[switch]}; "
                f"leave the switch, or name '{alias.program}'"
            )
    own = f"{name.rpartition('.')[0]}.{alias.program.rpartition('.')[2]}"
    return own, {**switches, **alias.switches}


# ---- Python
def python_hooks(program: Program) -> dict[str, HookCallable]:
    """The hooks as Python functions over plain integers; each returns a tuple in the order of ``Function.returns``.

    Widths are passed as ``Bits``, tables as sequences, keys as integers (isa.unit_key).
    """
    module = ast.Module([], [])
    for function in program.helpers.values():
        module.body.append(_bare(function, function.name))
    for name, function in program.hooks.items():
        module.body.append(_bare(function, name))
    namespace: dict[str, Any] = {"__builtins__": {"min": min, "max": max, "abs": abs}}
    namespace |= INTRINSICS | CHANNEL_CONSTANTS | program.constants
    exec(compile(ast.fix_missing_locations(module), program.path, "exec"), namespace)
    return {name: namespace[name] for name in program.hooks}


def _bare(function: Function, name: str) -> ast.FunctionDef:
    """The function without annotations and doc string; a hook's return is always a tuple."""
    node = ast.parse(ast.unparse(function.node)).body[0]
    assert isinstance(node, ast.FunctionDef)
    node.name = name
    kept = {argument.name for argument in function.arguments}
    node.args.args = [arg for arg in node.args.args if arg.arg in kept]
    for arg in node.args.args:
        arg.annotation = None
    node.returns = None
    if isinstance(node.body[0], ast.Expr):
        node.body = node.body[1:]
    last = node.body[-1]
    assert isinstance(last, ast.Return)
    assert last.value is not None
    if function.returns and not isinstance(last.value, ast.Tuple):
        last.value = ast.Tuple([last.value], ast.Load())
    return ast.fix_missing_locations(node)


# ---- Numba
class _Inline(ast.NodeTransformer):
    """Writes constants, widths and helper names into a body, and gives every other name a prefix."""

    def __init__(
        self, values: Mapping[str, int], widths: Mapping[str, Bits], prefix: str, helpers: Mapping[str, str]
    ) -> None:
        self.values, self.widths, self.prefix, self.helpers = values, widths, prefix, helpers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load):
            if node.id in self.widths:
                bits, wraps = self.widths[node.id]
                return ast.Tuple([ast.Constant(bits), ast.Constant(wraps)], ast.Load())
            if node.id in self.values:
                return ast.Constant(self.values[node.id])
            if node.id in self.helpers:
                return ast.Name(self.helpers[node.id], node.ctx)
            if node.id in INTRINSICS or node.id in BUILTINS:
                return node
        return ast.Name(f"{self.prefix}{node.id}", node.ctx)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        assert isinstance(node.target, ast.Name)
        value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        assignment = ast.Assign([node.target], value)
        return ast.Assign([self.visit(t) for t in assignment.targets], self.visit(assignment.value))


class _Narrow(ast.NodeTransformer):
    """Casts every operation to 32 bits, which the proof allows: Numba widens to 64 otherwise and halves the SIMD lanes."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return _cast(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return node if isinstance(node.op, ast.Not) else _cast(node)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return _cast(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        return _cast(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        assert isinstance(node.func, ast.Name)
        if node.func.id in NARROW_INTRINSICS:
            self.generic_visit(node)
            node.func = ast.Name(f"{node.func.id}_i4", ast.Load())
        elif node.func.id in ("min", "max", "abs"):
            self.generic_visit(node)
        return _cast(node)


def _cast(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("i4", ast.Load()), [node], [])


def hook_lines(
    program: Program, hook: str, prefix: str, constants: Mapping[str, int], widths: Mapping[str, Bits], narrow: bool
) -> list[str]:
    """A hook's statements as lines of a kernel: its names get a prefix, what it returns is in these names afterwards.

    ``constants`` are parameters written in as numbers, ``widths`` the Width arguments; ``narrow`` asks for 32-bit arithmetic,
    which only a hook whose proof says ``fits_int32`` may have.
    """
    values = {**CHANNEL_CONSTANTS, **program.constants, **constants}
    inline = _Inline(values, widths, prefix, _helper_names(program))
    lines = []
    for statement in _bare(program.hooks[hook], hook).body[:-1]:
        node = inline.visit(statement)
        lines.append(ast.unparse(ast.fix_missing_locations(_Narrow().visit(node) if narrow else node)))
    return lines


def _helper_names(program: Program) -> dict[str, str]:
    stem = "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in program.name)
    return {name: f"h_{stem}_{name}" for name in program.helpers}


def helper_source(program: Program) -> list[str]:
    """The program's helpers as source for a kernel."""
    sources, names = [], _helper_names(program)
    for name, function in program.helpers.items():
        node = _Inline({**CHANNEL_CONSTANTS, **program.constants}, {}, "", names).visit(_bare(function, names[name]))
        sources.append(f"{CALLEE}\n{ast.unparse(ast.fix_missing_locations(node))}")
    return sources


def library_source() -> list[str]:
    """Every intrinsic as source for a kernel: the text of neuroemu.isa, with the unsigned casts made real."""
    sources = ["i64 = np.int64", "u64 = np.uint64"]
    for function in RANDOM_SOURCE:
        if function.__name__ not in ("i64", "u64"):
            sources.append(f"{CALLEE}\n{plain_source(function)}")
    for name, function in INTRINSICS.items():
        sources.append(f"{CALLEE}\n{plain_source(function)}")
        if name in NARROW_INTRINSICS:
            node = ast.parse(plain_source(function)).body[0]
            assert isinstance(node, ast.FunctionDef)
            node.name = f"{name}_i4"
            node.body = [_Narrow().visit(statement) for statement in node.body]
            sources.append(f"{CALLEE}\n{ast.unparse(ast.fix_missing_locations(node))}")
    return sources


def plain_source(function: Callable[..., Any]) -> str:
    """A function's source without decorators, annotations and doc string, for kernels that include it."""
    node = ast.parse(source_of(function)).body[0]
    assert isinstance(node, ast.FunctionDef)
    for arg in node.args.args:
        arg.annotation = None
    node.returns = None
    if isinstance(node.body[0], ast.Expr):
        node.body = node.body[1:]
    return ast.unparse(node)


def distances(program: Program) -> tuple[str, ...]:
    """Parameters used as a shift distance, which a kernel wants as constants."""
    found = set()
    shifts = [name for name in INTRINSICS if name.startswith("shift_")]
    for function in program.hooks.values():
        for node in ast.walk(function.node):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in (*shifts, "uniform"):
                found |= {
                    name.id
                    for name in ast.walk(node.args[2 if node.func.id == "uniform" else 1])
                    if isinstance(name, ast.Name)
                }
    return tuple(name for name in program.of_kind("param") if name in found)


def is_rule(program: Program) -> bool:
    """Whether a projection runs it: it has hooks of axons or synapses."""
    return any(HOOKS[name].level != "neuron" for name in program.hooks)

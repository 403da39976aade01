"""What a firmware file says beside its functions: ONLINE, GATE and UNGATED of a program, ALIASES of the file."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from neuroemu.base.errors import FirmwareError
from neuroemu.language.isa import HOOKS, ROLES
from neuroemu.language.language import Alias, Program

SETTINGS = ("GATE", "ONLINE", "UNGATED")
"""Names that a program, a file or a class of it, gives a meaning to."""
At = Callable[[ast.AST, str], FirmwareError]
"""Makes the error for a place in the file."""


def online(node: ast.expr, at: At) -> bool:
    """ONLINE: whether weights change at once."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return node.value
    raise at(node, "ONLINE is not True or False; write ONLINE = True")


# ---- gates
def gate(node: ast.expr, program: Program, at: At) -> dict[str, tuple[str, ...]]:
    """GATE: the registers by hook that must not be 0, or the hook is not called."""
    if not isinstance(node, ast.Dict):
        raise at(node, "GATE is not a dictionary; write GATE = {'fire_synapse': 'x'}")
    found = {}
    for key, value in zip(node.keys, node.values, strict=True):
        hook = key.value if isinstance(key, ast.Constant) else None
        if not isinstance(hook, str) or hook not in program.hooks:
            raise at(
                key or value, f"GATE names hook {hook!r}, which this program does not define; name one of its hooks"
            )
        if HOOKS[hook].level != "synapse":
            raise at(key or value, f"GATE on '{hook}'; only synapse hooks can be gated")
        names = _names(value)
        if not names:
            raise at(value, "GATE entry is not a register's name; write 'x' or ('x', 'y')")
        for name, item in names.items():
            _gated(item, name, hook, program, at)
        found[hook] = tuple(names)
    return found


def _names(node: ast.expr) -> dict[str, ast.expr]:
    """The strings of ``'x'`` or ``('x', 'y')`` with their places; none if it is anything else."""
    items = node.elts if isinstance(node, ast.Tuple) else [node]
    names: dict[str, ast.expr] = {}
    for item in items:
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            names[item.value] = item
    return names if len(names) == len(items) else {}


def _gated(node: ast.expr, name: str, hook: str, program: Program, at: At) -> None:
    """A gate reads its registers: the hook must be allowed to, and no order of synapses or presentations may show."""
    if program.level_of(name) is None:
        raise at(node, f"GATE register '{name}' is not declared in any hook; declare it or correct the name")
    kind, reads = program.arguments[name].kind, HOOKS[hook].reads
    if kind not in reads:
        raise at(node, f"GATE register '{name}' is one '{hook}' cannot read; it reads {kinds(reads)}")
    added = kind == "post" and name in program.hooks[hook].returns
    if added or (kind == "sum" and HOOKS[hook].end_of != "commit"):
        raise at(node, f"GATE register '{name}' is still being added to, in any order; gate with another")


def ungated(node: ast.expr, program: Program, at: At) -> dict[str, tuple[str, ...]]:
    """UNGATED: the switches by hook that take its gate away when they are 1."""
    if not isinstance(node, ast.Dict):
        raise at(node, "UNGATED is not a dictionary; write UNGATED = {'end_synapse': 'momentum'}")
    found = {}
    for key, value in zip(node.keys, node.values, strict=True):
        hook = key.value if isinstance(key, ast.Constant) else None
        if hook not in program.gate:
            raise at(key or value, f"UNGATED names hook {hook!r}, which has no gate; name one that GATE has")
        names = _names(value)
        for name, item in names.items():
            if name not in program.of_kind("switch"):
                switches = ", ".join(program.of_kind("switch")) or "none"
                raise at(
                    item, f"UNGATED names '{name}', which is no switch of '{program.name}'; its switches: {switches}"
                )
        if not names:
            raise at(value, "UNGATED entry is not a switch's name; write 'momentum', or a tuple of such")
        found[str(hook)] = tuple(names)
    return found


def kinds(found: tuple[str, ...]) -> str:
    """Names of roles, as programs write them."""
    names = {role.kind: name for name, role in ROLES.items()}
    return ", ".join(names[kind] for kind in found)


# ---- other names of a file's programs
FORM = "write ALIASES = {'nearest': ('synapse', {'nearest': 1})}"


def aliases(node: ast.expr, name: str, programs: Mapping[str, Program], at: At) -> dict[str, Alias]:
    """ALIASES of the file called ``name``: other names of its programs, by the class and the switches they stand for."""
    try:
        given = ast.literal_eval(node)
    except (ValueError, TypeError):
        given = None
    if not isinstance(given, dict):
        raise at(node, f"ALIASES is not a dictionary of literals; {FORM}")
    found = {}
    for alias, meaning in given.items():
        if not (isinstance(alias, str) and alias.isidentifier()):
            raise at(node, f"ALIASES names {alias!r}, which is no name; {FORM}")
        if f"{name}.{alias}" in programs:
            raise at(node, f"ALIASES names '{alias}', which is a class of the file; use another name")
        parts = meaning if isinstance(meaning, tuple) else ()
        named = all(isinstance(part, dict) and all(isinstance(key, str) for key in part) for part in parts[1:])
        if len(parts) not in (2, 3) or not named:
            raise at(
                node, f"alias '{alias}' is {meaning!r}, not a class, its switches and, if any, options of wire; {FORM}"
            )
        program = programs.get(f"{name}.{parts[0]}")
        if program is None:
            raise at(node, f"alias '{alias}' stands for '{parts[0]}', which is no class of the file; name one")
        for switch, value in parts[1].items():
            if switch not in program.of_kind("switch") or value not in (0, 1):
                switches = ", ".join(program.of_kind("switch")) or "none"
                raise at(
                    node, f"alias '{alias}' sets {switch}={value!r}; '{program.name}' has switches {switches}, 0 or 1"
                )
        switched = {switch: int(value) for switch, value in parts[1].items()}
        found[f"{name}.{alias}"] = Alias(program.name, switched, *parts[2:])
    return found

"""Host code of a firmware file: ``wire``, ``as_float`` and the ``wire_`` functions these call, which are Python and are executed.

The file itself is never imported. What may stand in it is decided from its text, before anything runs; then a module is made
that holds imports of a few libraries, the file's integer constants and helpers, and the host functions: no statement, no
decorator, no annotation, no default beyond a literal, nothing that does anything when it is loaded.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Mapping

from neuroemu.language.isa import CHANNEL_CONSTANTS, INTRINSICS, ROLES
from neuroemu.language.settings import At

HOST_FUNCTIONS = ("wire", "as_float")
HOST_MODULES = ("neuroemu", "numpy", "dataclasses", "math", "itertools", "functools", "collections.abc", "typing")
"""What a file may import for its host functions."""


def is_host(name: str) -> bool:
    """Whether a function of that name is host code."""
    return name in HOST_FUNCTIONS or name.startswith("wire_")


def check_import(node: ast.Import | ast.ImportFrom, at: At) -> None:
    """Refuse what a firmware file may not import."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name not in HOST_MODULES:
                raise at(node, _not_imported(alias.name))
        return
    module = "." * node.level + (node.module or "")
    if module == "__future__" or module in HOST_MODULES:
        return
    if module != "neuroemu.isa":
        raise at(node, _not_imported(module))
    for alias in node.names:
        if alias.asname:
            raise at(node, f"'{alias.name}' imported under another name; use the name itself")
        if alias.name not in ROLES and alias.name not in INTRINSICS and alias.name not in CHANNEL_CONSTANTS:
            raise at(
                node,
                f"neuroemu.isa has no '{alias.name}'; it has {', '.join([*ROLES, *INTRINSICS, *CHANNEL_CONSTANTS])}",
            )


def _not_imported(module: str) -> str:
    return (
        f"import of '{module}'; a program imports from neuroemu.isa only, its host functions from {', '.join(HOST_MODULES)}: "
        "import other modules inside wire"
    )


def check_function(node: ast.FunctionDef, constants: Mapping[str, int], at: At) -> None:
    """Refuse a host function of which anything would run before it is called."""
    if node.decorator_list:
        raise at(node, f"'{node.name}' has a decorator, which would run when the file is loaded; write it without")
    defaults = [*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)]
    for value in defaults:
        if not (_literal(value) or (isinstance(value, ast.Name) and value.id in constants)):
            raise at(
                value,
                f"default `{ast.unparse(value)}` of '{node.name}' would be computed when the file is loaded; "
                "write a literal or a constant of the file",
            )


def _literal(node: ast.expr) -> bool:
    """Whether it is a literal. ``set()`` is none, though ``literal_eval`` takes it: the file may have imported anything as set."""
    if any(isinstance(part, ast.Call) for part in ast.walk(node)):
        return False
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True


def host_module(
    imports: Iterable[ast.stmt], constants: Mapping[str, int], functions: Iterable[ast.FunctionDef]
) -> ast.Module:
    """The module that is executed for a file's host functions: what ``check_import`` and ``check_function`` accepted."""
    body = [*imports]
    body += [ast.Assign([ast.Name(name, ast.Store())], ast.Constant(value)) for name, value in constants.items()]
    body += [_unannotated(function) for function in functions]
    return ast.fix_missing_locations(ast.Module(body, []))


def _unannotated(function: ast.FunctionDef) -> ast.FunctionDef:
    """The function without annotations of its signature, which Python would compute when the file is loaded."""
    bare = copy.deepcopy(function)
    arguments = bare.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if argument is not None:
            argument.annotation = None
    bare.returns = None
    return bare

"""Read a firmware file: accept the language of docs/firmware.md and nothing else.

The file is parsed, never imported: what is not accepted here is never run. Host functions (host.py) are Python that runs
later, when somebody asks for them. Errors say ``path:line:col: what; what to do instead``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from neuroemu.base.errors import FirmwareError
from neuroemu.language import host
from neuroemu.language import settings as settings_
from neuroemu.language.grammar import BUILTINS, Expressions, parse
from neuroemu.language.isa import CHANNEL_CONSTANTS, HOOKS, INTRINSICS, NEURON_CHANNELS, ROLES, Hook
from neuroemu.language.language import REGISTER_KINDS, Argument, FirmwareFile, Function, Program, Register
from neuroemu.language.settings import kinds

_FIXED = {"param": "a parameter", "switch": "a switch", "table": "a table", "width": "a width", "key": "a key"}
"""Arguments that a hook cannot give another value: kernels have them as constants, arrays, tuples."""
_LEVEL_OF_KIND = {"pre": "axon", "pre_keep": "axon", "post_state": "post"}


def read_programs(source: str, path: str, name: str) -> dict[str, Program]:
    """The programs of a firmware file, by name.

    A file of functions is one program, called ``name``; a file of classes holds one program per class, called
    ``name.class``. Raises FirmwareError for whatever is outside the language, and for a file without a program.
    """
    programs = read_file(source, path, name).programs
    if not programs:
        raise FirmwareError(f"{path}:1:1: no hook found; define at least one of {', '.join(HOOKS)}")
    return dict(programs)


@lru_cache(maxsize=64)
def read_file(source: str, path: str, name: str) -> FirmwareFile:
    """Read a firmware file's text: programs, aliases, host code. Each text is parsed once, whoever asks, from whatever thread.

    Raises FirmwareError for whatever is outside the language.
    """
    return _Reader(path).file(parse(source, path), name)


class _Reader:
    """Walks one file. Each method refuses what the language lacks."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.constants: dict[str, int] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.helpers: dict[str, Function] = {}
        self.arity: dict[str, int] = {}
        self.grammar = Expressions(path, self.arity, self.constants)
        self.at = self.grammar.at

    def claim(self, node: ast.AST, name: str, fixed: Mapping[str, str] | None = None) -> None:
        """Refuse to give a value to a name that stands for something else: compiled code writes that in place of the name."""
        what = (fixed or {}).get(name)
        if name in CHANNEL_CONSTANTS or name in self.constants:
            what = "a constant"
        elif name in INTRINSICS or name in BUILTINS:
            what = "an intrinsic"
        elif name in self.functions:
            what = "a function"
        elif name.startswith("__"):
            what = "Python's own"
        if what:
            raise self.at(node, f"'{name}' is {what}; use another name")

    # ---- module and class level
    def file(self, tree: ast.Module, name: str) -> FirmwareFile:
        classes: dict[str, ast.ClassDef] = {}
        settings: dict[str, ast.Assign] = {}
        imports: list[ast.stmt] = []
        aliases = None
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                host.check_import(node, self.at)
                imports.append(node)
            elif isinstance(node, ast.ClassDef):
                if node.name in classes:
                    raise self.at(node, f"class '{node.name}' is defined twice; keep one")
                classes[node.name] = node
            elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["ALIASES"]:
                aliases = node.value
            else:
                self.statement(node, self.functions, settings)
        hosts = [function for key, function in self.functions.items() if host.is_host(key)]
        for function in hosts:
            host.check_function(function, self.constants, self.at)
        helpers = [f for key, f in self.functions.items() if key not in HOOKS and f not in hosts]
        for function in helpers:
            self.helpers[function.name] = self.function(function, None)
            self.arity[function.name] = len(self.helpers[function.name].arguments)
        programs = self.programs(name, ast.get_docstring(tree) or "", classes, settings)
        return FirmwareFile(
            programs,
            {} if aliases is None else settings_.aliases(aliases, name, programs, self.at),
            host.host_module(imports, self.constants, [*helpers, *hosts]),
            tuple(function.name for function in hosts if function.name in host.HOST_FUNCTIONS),
        )

    def programs(
        self, name: str, doc: str, classes: dict[str, ast.ClassDef], settings: dict[str, ast.Assign]
    ) -> dict[str, Program]:
        hooks = {key: node for key, node in self.functions.items() if key in HOOKS}
        for outside, node in {**hooks, **settings}.items():
            if classes:
                raise self.at(node, f"'{outside}' stands outside the file's classes; move it into the class it is for")
        if classes:
            return {f"{name}.{class_}": self.class_(f"{name}.{class_}", node) for class_, node in classes.items()}
        return {name: self.program(name, doc, hooks, settings)} if hooks else {}

    def class_(self, name: str, node: ast.ClassDef) -> Program:
        if node.bases or node.keywords or node.decorator_list:
            raise self.at(node, f"class '{node.name}' has a base or decorator; a program is a plain class of hooks")
        functions: dict[str, ast.FunctionDef] = {}
        settings: dict[str, ast.Assign] = {}
        shared = set(self.constants)
        for child in node.body:
            self.statement(child, functions, settings)
        for function in functions.values():
            if function.name not in HOOKS:
                raise self.at(function, f"'{function.name}' is not a hook; use one of {', '.join(HOOKS)}")
        if not functions:
            raise self.at(node, f"class '{node.name}' has no hook; define at least one of {', '.join(HOOKS)}")
        program = self.program(name, ast.get_docstring(node) or "", functions, settings)
        for constant in self.constants.keys() - shared:
            del self.constants[constant]
        return program

    def statement(self, node: ast.stmt, functions: dict[str, ast.FunctionDef], settings: dict[str, ast.Assign]) -> None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return
        if isinstance(node, ast.FunctionDef):
            if node.name in functions:
                raise self.at(node, f"'{node.name}' is defined twice; keep one")
            self.claim(node, node.name)
            functions[node.name] = node
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            target = node.targets[0].id
            if target in settings_.SETTINGS:
                settings[target] = node
            else:
                self.claim(node, target)
                self.constants[target] = self.grammar.constant(node.value)
        else:
            raise self.at(
                node,
                "statement outside a hook; only functions, classes, integer constants, GATE and ONLINE may stand here",
            )

    def program(
        self, name: str, doc: str, functions: dict[str, ast.FunctionDef], settings: dict[str, ast.Assign]
    ) -> Program:
        hooks = {key: self.function(functions[key], HOOKS[key]) for key in HOOKS if key in functions}
        levels = {HOOKS[key].level == "neuron" for key in hooks}
        if len(levels) > 1:
            first = next(key for key in hooks if HOOKS[key].level != "neuron")
            raise self.at(
                functions[first],
                f"hook '{first}' is of a projection, others here are of a population; put them into two classes",
            )
        online = "ONLINE" in settings and settings_.online(settings["ONLINE"].value, self.at)
        registers, arguments = self.declarations(hooks, online)
        program = Program(
            name, self.path, doc, hooks, dict(self.helpers), dict(self.constants), {}, online, registers, arguments
        )
        if "GATE" in settings:
            program = replace(program, gate=settings_.gate(settings["GATE"].value, program, self.at))
        if "UNGATED" in settings:
            program = replace(program, ungated=settings_.ungated(settings["UNGATED"].value, program, self.at))
        return program

    # ---- functions
    def function(self, node: ast.FunctionDef, hook: Hook | None) -> Function:
        args = node.args
        if args.posonlyargs or args.kwonlyargs or args.vararg or args.kwarg or args.defaults:
            raise self.at(node, f"'{node.name}' has default, keyword or star arguments; use plain arguments")
        if node.decorator_list:
            raise self.at(node, f"'{node.name}' has a decorator; a program is plain functions")
        if node.returns or getattr(node, "type_params", None):
            raise self.at(
                node.returns or node, f"'{node.name}' states a type; only the arguments of a hook are annotated"
            )
        arguments = tuple(self.argument(arg, hook) for arg in args.args)
        names = [argument.name for argument in arguments]
        for n, arg in enumerate(args.args):
            self.claim(arg, arg.arg)
            if arg.arg in names[:n]:
                raise self.at(arg, f"'{node.name}' has two arguments '{arg.arg}'; keep one")
        body = list(node.body)
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        if not body or not isinstance(body[-1], ast.Return):
            raise self.at(node, f"'{node.name}' does not end in return; return the names of what it writes")
        known = {*names, *self.constants, *CHANNEL_CONSTANTS}
        fixed = {argument.name: _FIXED[argument.kind] for argument in arguments if argument.kind in _FIXED}
        for statement in body[:-1]:
            self.assignment(statement, known, fixed)
        last = body[-1]
        assert isinstance(last, ast.Return)
        returns = self.returned(last, known, hook)
        function = Function(node.name, arguments, returns, node)
        if hook is not None:
            self.written(function, hook, last)
        return function

    def argument(self, arg: ast.arg, hook: Hook | None) -> Argument:
        place = (arg.lineno, arg.col_offset + 1)
        if hook is None:
            if arg.annotation is not None:
                raise self.at(arg, f"helper argument '{arg.arg}' has a role; roles belong to hooks")
            return Argument(arg.arg, "value", place=place)
        node = arg.annotation
        limits: tuple[int, ...] = ()
        init: int | None = None
        if node is None:
            raise self.at(arg, f"argument '{arg.arg}' has no role; annotate it with one of {', '.join(ROLES)}")
        role = node.func if isinstance(node, ast.Call) else node
        if not isinstance(role, ast.Name) or role.id not in ROLES:
            raise self.at(arg, f"'{ast.unparse(role)}' is not a role; use one of {', '.join(ROLES)}")
        if isinstance(node, ast.Call):
            limits = tuple(self.grammar.constant(value) for value in node.args)
            for keyword in node.keywords:
                if keyword.arg != "init":
                    raise self.at(keyword.value, f"role takes no '{keyword.arg}'; the only keyword is init")
                init = self.grammar.constant(keyword.value)
        kind = ROLES[role.id].kind
        verdict = hook.name == "settle" and arg.arg.endswith(("_any", "_won"))
        if kind == "input" and arg.arg not in hook.inputs and not verdict:
            inputs = ", ".join(hook.inputs) or ("<flag>_any, <flag>_won" if hook.name == "settle" else "none")
            raise self.at(arg, f"'{hook.name}' has no input '{arg.arg}'; its inputs are: {inputs}")
        if kind == "key" and not hook.keyed:
            raise self.at(arg, f"'{hook.name}' has no random key; draw in a hook that has one")
        if kind in (*REGISTER_KINDS, "post", "port") and kind not in hook.reads:
            raise self.at(arg, f"'{hook.name}' cannot read a {role.id} register; it reads {kinds(hook.reads)}")
        self.role_limits(arg, kind, limits)
        if init is not None and (kind == "sum" or kind not in (*REGISTER_KINDS, "param")):
            raise self.at(arg, f"'{arg.arg}' takes no start value; init is for registers and parameters")
        return Argument(arg.arg, kind, limits, init, place)

    def role_limits(self, arg: ast.arg, kind: str, limits: tuple[int, ...]) -> None:
        """Registers take their bits, parameters their range, tables their length and optionally their range."""
        wrong = {
            "param": len(limits) not in (0, 2) or (len(limits) == 2 and limits[0] > limits[1]),
            "table": len(limits) not in (1, 3)
            or not 0 < limits[0] <= 1 << 20
            or limits[1:] != tuple(sorted(limits[1:])),
        }.get(kind, len(limits) > 1 or (len(limits) == 1 and not 2 <= limits[0] <= 64))
        if wrong or (limits and kind in ("sum", "switch", "width", "port", "input", "key")):
            raise self.at(
                arg,
                f"limits {limits} of '{arg.arg}' are not understood; write State(bits) with 2 to 64 bits, Param(low, high), "
                "Table(length) or Table(length, low, high); Sum, Port and what is no register take none",
            )

    def assignment(self, node: ast.stmt, known: set[str], fixed: Mapping[str, str]) -> None:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
                raise self.at(node, "operator is not += -= or *=; use a shift intrinsic, whose name says how it rounds")
            self.claim(node, node.target.id, fixed)
            if node.target.id not in known:
                raise self.at(node, f"'{node.target.id}' is changed before it has a value; assign it first")
            self.grammar.expression(node.value, known)
            return
        if isinstance(node, ast.If | ast.Match):
            raise self.at(node, "if statement; use a conditional expression: x = a if test else b")
        if isinstance(node, ast.For | ast.While):
            raise self.at(node, "loop; a hook handles one neuron or synapse, write the steps out or use a table")
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            raise self.at(node, "statement is not `name = expression`; a hook is assignments and a final return")
        self.claim(node, node.targets[0].id, fixed)
        self.grammar.expression(node.value, known)
        known.add(node.targets[0].id)

    def returned(self, node: ast.Return, known: set[str], hook: Hook | None) -> tuple[str, ...]:
        if hook is None:
            if node.value is None:
                raise self.at(node, "helper returns nothing; return an integer expression")
            self.grammar.expression(node.value, known)
            return ()
        items = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        names: list[str] = []
        if items in ([], [None]):
            raise self.at(node, "hook returns nothing; return the names of what it writes")
        for item in items:
            if not isinstance(item, ast.Name):
                raise self.at(node, "return of an expression; assign it to a name and return the name")
            if item.id not in known:
                raise self.at(item, f"'{item.id}' is returned but never assigned; assign it or drop it")
            if item.id in names:
                raise self.at(item, f"'{item.id}' is returned twice; return it once")
            names.append(item.id)
        return tuple(names)

    def written(self, function: Function, hook: Hook, node: ast.Return) -> None:
        """Every returned name is a register this hook may write, or a send flag; every changed register is returned."""
        roles = {argument.name: argument for argument in function.arguments}
        assigned = {
            target.id for child in ast.walk(function.node) for target in _targets(child) if isinstance(target, ast.Name)
        }
        for name in function.returns:
            if name in roles:
                if roles[name].kind not in hook.writes:
                    raise self.at(node, f"'{hook.name}' may not write '{name}'; it writes {kinds(hook.writes)}")
                if hook.name == "soma" and _is_send(name, NEURON_CHANNELS):
                    raise self.at(node, f"'{name}' is what a soma sends; give the register another name")
            elif hook.name == "soma" and _is_send(name, NEURON_CHANNELS) and not _is_send(name, function.returns):
                flag = name.removesuffix("_payload")
                raise self.at(node, f"'{name}' is returned without '{flag}', which says whether to send; return both")
            elif hook.name != "soma" or not _is_send(name, function.returns):
                raise self.at(
                    node,
                    f"'{name}' is no register of '{hook.name}'; declare it as an argument with a role, or do not return it",
                )
        for name in sorted(assigned & set(roles) - set(function.returns)):
            if roles[name].kind in (*REGISTER_KINDS, "post"):
                raise self.at(node, f"register '{name}' is changed but not returned; return it, or use another name")

    def declarations(self, hooks: dict[str, Function], online: bool) -> tuple[dict[str, Register], dict[str, Argument]]:
        """Merge what the hooks say of each name; two hooks may not disagree."""
        registers: dict[str, Register] = {}
        arguments: dict[str, Argument] = {}
        for hook_name, function in hooks.items():
            hook = HOOKS[hook_name]
            if "weight" in {a.kind for a in function.arguments if a.name in function.returns}:
                self.online_write(function, hook, online)
            for argument in function.arguments:
                if argument.kind in ("input", "key"):
                    continue
                known = arguments.setdefault(argument.name, argument)
                if known.conflicts(argument):
                    raise FirmwareError(
                        f"{self.path}:{argument.place[0]}:{argument.place[1]}: '{argument.name}' is {known.role} in one hook "
                        f"and {argument.role} in another; give it one role"
                    )
                arguments[argument.name] = known.merged(argument)
        for argument in arguments.values():
            if argument.kind in REGISTER_KINDS:
                owner = next(HOOKS[h] for h, f in hooks.items() if argument.name in {a.name for a in f.arguments})
                level = _LEVEL_OF_KIND.get(argument.kind, owner.level)
                bits = argument.limits[0] if argument.limits else None
                registers[argument.name] = Register(
                    argument.name, level, argument.kind, bits, argument.init or 0, argument.place
                )
        return registers, arguments

    def online_write(self, function: Function, hook: Hook, online: bool) -> None:
        if hook.end_of != "commit" and not online:
            name = next(a.name for a in function.arguments if a.kind == "weight" and a.name in function.returns)
            raise self.at(
                function.node,
                f"'{hook.name}' writes weight '{name}' at once; set ONLINE = True, or gather a Sum and write it in commit_synapse",
            )


def _is_send(name: str, returns: tuple[str, ...]) -> bool:
    """Whether a soma's result is ``fire``, a send flag, or a payload whose flag is returned too."""
    channel = name.removesuffix("_payload")
    return name == "fire" or (channel in NEURON_CHANNELS and channel in returns)


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign) else []

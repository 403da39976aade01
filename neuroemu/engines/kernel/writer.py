"""Lines of a kernel's source: indentation, loops, and which names a piece of it needs or stores."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager


class Writer:
    """Lines of source with indentation, and the arguments they turned out to need."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0
        self.arguments: dict[str, None] = {}

    def __call__(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Everything written inside stands under the header."""
        self(header)
        self.depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self("pass")
        self.depth -= 1

    def loop(self, index: str, stop: object, start: object = 0) -> AbstractContextManager[None]:
        """A loop over an unsigned index: Numba would look for negative ones, and the loop would not become SIMD."""
        return self.block(f"for {index} in range(u64({start}), u64({stop})):")

    def fill(self, values: Mapping[str, object], shape: Sequence[int]) -> None:
        """Set every element of arrays of one shape, each to its value: loops compile several times faster than slices, one faster than
        several."""
        if not values:
            return
        index = [f"f{axis}" for axis in range(len(shape))]
        with ExitStack() as stack:
            for name, size in zip(index, shape, strict=True):
                stack.enter_context(self.loop(name, size))
            self(*(f"{array}[{', '.join(index)}] = {value}" for array, value in values.items()))

    def copy(self, target: str, source: str, shape: Sequence[int], transposed: bool = False) -> None:
        """Copy every element; a target that ends in a comma has leading indices already, a transposed source its axes exchanged."""
        index = [f"f{axis}" for axis in range(len(shape))]
        with ExitStack() as stack:
            for name, size in zip(index, shape, strict=True):
                stack.enter_context(self.loop(name, size))
            place, origin = ", ".join(index), ", ".join(reversed(index) if transposed else index)
            self(
                f"{target} {place}] = {source}[{origin}]"
                if target.endswith(",")
                else f"{target}[{place}] = {source}[{origin}]"
            )

    def arg(self, name: str) -> str:
        """The name, noted as an argument of the kernel."""
        self.arguments[name] = None
        return name


def _tree(lines: Sequence[str]) -> ast.Module:
    indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    text = [line[indent:] for line in lines]
    # a body that is still being written may end inside an open block
    return ast.parse(
        "\n".join(
            [*text, " " * (len(lines[-1]) - len(lines[-1].lstrip()) - indent + 4) + "pass"]
            if lines[-1].endswith(":")
            else text
        )
    )


def stored(lines: Sequence[str]) -> set[str]:
    """Names given a value in lines of source."""
    return _names(_tree(lines), ast.Store)


def needed(lines: Sequence[str]) -> set[str]:
    """Names that lines of source may read before they give them a value themselves.

    What a loop or a branch stores may not be there after it: a loop may run no time, a branch may not be taken.
    """
    reads = _Reads()
    reads.block(_tree(lines).body, set())
    return reads.before


class _Reads:
    """Walks statements in order, knowing which names surely have a value."""

    def __init__(self) -> None:
        self.before: set[str] = set()
        """Names read where they may have had no value."""

    def read(self, node: ast.AST | None, known: set[str]) -> None:
        if node is not None:
            self.before |= _names(node, ast.Load) - known

    def block(self, body: Sequence[ast.stmt], known: set[str]) -> set[str]:
        """What surely has a value after the statements; ``known`` is what has one before, and is left as it is."""
        known = set(known)
        for statement in body:
            known |= self.statement(statement, known)
        return known

    def statement(self, node: ast.stmt, known: set[str]) -> set[str]:
        """Names that the statement surely gives a value."""
        if isinstance(node, ast.For):
            self.read(node.iter, known)
            self.block(node.body, known | _names(node.target, ast.Store))
            return set()
        if isinstance(node, ast.While):
            self.read(node.test, known)
            self.block(node.body, known)
            return set()
        if isinstance(node, ast.If):
            self.read(node.test, known)
            return self.block(node.body, known) & self.block(node.orelse, known)
        self.read(node, known)
        if isinstance(node, ast.AugAssign):
            self.before |= _names(node.target, ast.Store) - known
        return _names(node, ast.Store)


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, context)}

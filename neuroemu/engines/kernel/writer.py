"""Lines of a kernel's source: indentation, loops, and which names a piece of it uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
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

    def fill(self, array: str, shape: Sequence[int], value: object) -> None:
        """Set every element: loops compile several times faster than a slice."""
        index = [f"f{axis}" for axis in range(len(shape))]
        with ExitStack() as stack:
            for name, size in zip(index, shape, strict=True):
                stack.enter_context(self.loop(name, size))
            self(f"{array}[{', '.join(index)}] = {value}")

    def copy(self, target: str, source: str, shape: Sequence[int], turned: bool = False) -> None:
        """Copy every element; a target that ends in a comma has leading indices already, a turned source its axes exchanged."""
        index = [f"f{axis}" for axis in range(len(shape))]
        with ExitStack() as stack:
            for name, size in zip(index, shape, strict=True):
                stack.enter_context(self.loop(name, size))
            place, origin = ", ".join(index), ", ".join(reversed(index) if turned else index)
            self(
                f"{target} {place}] = {source}[{origin}]"
                if target.endswith(",")
                else f"{target}[{place}] = {source}[{origin}]"
            )

    def arg(self, name: str) -> str:
        """The name, noted as an argument of the kernel."""
        self.arguments[name] = None
        return name


def _tree(lines: Sequence[str]) -> ast.AST:
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
    return {n.id for n in ast.walk(_tree(lines)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def used(lines: Sequence[str]) -> set[str]:
    """Names mentioned in lines of source."""
    return {n.id for n in ast.walk(_tree(lines)) if isinstance(n, ast.Name)}

"""Imports point down the list of rooms only, and each library stays where the design puts it."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "neuroemu"
ROOMS: tuple[str, ...] = runpy.run_path(str(PACKAGE.parent / "tools" / "make_map.py"))["ROOMS"]
"""Top to bottom: a module imports from its own room and from those below it."""
FACES = {"__init__", "errors", "isa", "program", "wiring"}
"""Modules beside the rooms, which only hand on what rooms hold."""
ONLY_IN = {
    "simpy": {"engines/interpreted/event.py", "engines/noc/noc_event.py"},
    "numba": {"engines/kernel/cpu.py", "engines/noc/noc_kernel.py"},
    "nir": {"nir/"},
    "click": {"cli/"},
    "msgpack": {"results/recording.py"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))
INSIDE = [path for path in MODULES if path.parent != PACKAGE]


def imports(path: Path) -> list[str]:
    """Dotted names a module imports, ``from neuroemu.x import y`` as neuroemu.x.y where that is a module."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            folder = PACKAGE.parent / node.module.replace(".", "/")
            names += [
                f"{node.module}.{alias.name}" if (folder / f"{alias.name}.py").exists() else node.module
                for alias in node.names
            ]
    return names


def place(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_every_module_is_in_a_room() -> None:
    for path in MODULES:
        parts = path.relative_to(PACKAGE).parts
        known = parts[0] in ROOMS if len(parts) > 1 else path.stem in FACES
        assert known, (
            f"{place(path)} is in no room: put it into one of {', '.join(ROOMS)} (docs/map.md), or add a room here"
        )
        assert len(parts) <= 3, f"{place(path)} is more than two levels down"


@pytest.mark.parametrize("path", INSIDE, ids=place)
def test_imports_point_downward(path: Path) -> None:
    mine = ROOMS.index(path.relative_to(PACKAGE).parts[0])
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "neuroemu" and len(parts) > 1:
            assert parts[1] in ROOMS, f"{place(path)} imports {name}; import from a room"
            assert ROOMS.index(parts[1]) >= mine, f"{place(path)} imports {name}, which is above it"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_libraries_stay_in_their_place(path: Path) -> None:
    for name in imports(path):
        allowed = ONLY_IN.get(name.split(".")[0], {place(path)})
        assert place(path) in allowed or any(a.endswith("/") and place(path).startswith(a) for a in allowed), (
            f"{place(path)} imports {name}"
        )


def test_no_cycles() -> None:
    """Importing every module alone, in a fresh interpreter's order, would fail on a cycle; this finds them by name."""
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in INSIDE}
    graph = {name: {other for other in imports(path) if other in names} for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"cycle {' -> '.join((*path, name))}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in names:
        visit(name, ())
    assert sum(map(len, graph.values())) > 300


def test_engines_see_no_network_report_or_names() -> None:
    """Engines take images; they neither price nor ask which chip, rule or neuron it is."""
    for path in (PACKAGE / "engines").rglob("*.py"):
        used = {name.removeprefix("neuroemu.") for name in imports(path) if name.startswith("neuroemu.")}
        assert not used & {
            "results.report",
            "compiler.quantize",
            "network.align",
            "network.reference",
            "compiler.compile",
            "network.network",
        }, place(path)
        text = path.read_text()
        assert "loihi" not in text.lower()
        assert '"lif"' not in text

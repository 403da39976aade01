"""Imports point downward only, and each library stays where the design puts it (design section 2)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "neuroemu"
LAYERS = (
    ("errors", "isa", "aer", "shelf", "files", "recording"),
    ("datasheet", "chip", "grammar", "language", "reader", "interval", "evaluate", "check", "program", "frozen"),
    (
        "network",
        "synapses",
        "stimulus",
        "draws",
        "idx",
        "dataset",
        "encode",
        "align",
        "discrete",
        "reference",
        "linear",
        "golden",
    ),
    (
        "quantize",
        "neighbours",
        "parameters",
        "demand",
        "place",
        "route",
        "fit",
        "image_parts",
        "image",
        "bounds",
        "features",
        "reach",
        "compiler",
        "timing",
        "memory",
        "wiring",
        "run",
        "machine",
        "tally",
        "packets",
    ),
    ("engines",),
    (
        "report_units",
        "report_learning",
        "report_time",
        "report",
        "alignment",
        "health",
        "histogram",
        "watch",
        "train",
        "training",
        "checkpoint",
        "samples",
        "schedule",
        "vote",
        "facts",
        "inside",
        "condition",
        "follow",
        "session",
        "difference",
        "replay",
        "aedat",
        "explain",
    ),
    (
        "convolution",
        "graph",
        "nir",
        "formats",
        "screen",
        "recorded",
        "ticks",
        "match",
        "training_plan",
        "learned",
        "commands",
        "cli",
    ),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ONLY_IN = {
    "simpy": {"engines/event.py", "engines/noc_event.py"},
    "numba": {"engines/cpu.py", "engines/noc_kernel.py"},
    "nir": {"nir.py", "graph.py"},
    "click": {"cli.py", "commands/"},
    "msgpack": {"recording.py"},
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


def imports(path: Path) -> list[str]:
    """Dotted names a module imports, where ``from neuroemu import x`` counts as neuroemu.x."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "neuroemu" else [node.module]
            )
    return names


def layer_of(path: Path) -> int:
    return LEVEL[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "neuroemu" and len(parts) > 1 and parts[1] in LEVEL:
            assert LEVEL[parts[1]] <= layer_of(path), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_in_their_place(path: Path) -> None:
    place = str(path.relative_to(PACKAGE))
    for name in imports(path):
        allowed = ONLY_IN.get(name.split(".")[0], {place})
        assert place in allowed or any(a.endswith("/") and place.startswith(a) for a in allowed), (
            f"{place} imports {name}"
        )


def test_no_cycles_within_a_layer() -> None:
    """Importing every module alone, in a fresh interpreter's order, would fail on a cycle; this finds them by name."""
    graph = {
        str(p.relative_to(PACKAGE)): {n.split(".")[1] for n in imports(p) if n.startswith("neuroemu.")} for p in MODULES
    }
    modules = {name.removesuffix(".py"): edges for name, edges in graph.items() if "/" not in name}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"cycle {' -> '.join((*path, name))}"
        if name not in done and name in modules:
            for other in modules[name] & modules.keys():
                visit(other, (*path, name))
            done.add(name)

    for name in modules:
        visit(name, ())


def test_engines_see_no_network_report_or_names() -> None:
    """Engines take images; they neither price nor ask which chip, rule or neuron it is."""
    for path in (PACKAGE / "engines").glob("*.py"):
        used = {name.split(".")[1] for name in imports(path) if name.startswith("neuroemu.")}
        assert not used & {"report", "quantize", "align", "reference", "compiler"}, path.name
        text = path.read_text()
        assert "loihi" not in text.lower()
        assert '"lif"' not in text
        if path.name != "__init__.py":
            names = [
                n
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.ImportFrom) and node.module == "neuroemu.network"
                for n in node.names
            ]
            assert {n.name for n in names} <= {"Ints"}, path.name

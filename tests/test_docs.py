"""What the documents show runs as printed: the README's Python, the examples with their output, the tools' --help."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neuroemu as ne
from neuroemu.language.check import check_program

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "docs" / "examples").glob("*.py"))
EXAMPLES = [p for p in FILES if "import neuroemu as ne" in p.read_text() and not p.name.startswith("test_")]
EXAMPLE_TESTS = [p for p in FILES if p.name.startswith("test_")]
TOOLS = sorted((ROOT / "tools").glob("*.py"))


def python_blocks(path: Path) -> list[str]:
    """Fenced blocks of Python with a prompt."""
    blocks = path.read_text().split("```python\n")[1:]
    return [block for block in (part.split("```")[0] for part in blocks) if ">>>" in block]


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_python_runs_as_printed(document: Path) -> None:
    names: dict[str, object] = {}  # a block goes on from the one before it
    for number, block in enumerate(python_blocks(document)):
        test = doctest.DocTestParser().get_doctest(block, {}, f"{document.name}:{number}", str(document), 0)
        test.globs = names
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
        assert runner.run(test, clear_globs=False).failed == 0


def test_readme_shows_the_two_commands_first_and_runs_a_dozen_lines() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.index("make demo") < text.index("make test") < text.index("```python")
    assert sum(line.startswith(">>> ") for line in text.splitlines()) >= 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_prints_its_output(example: Path) -> None:
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr == ""
    assert done.stdout == example.with_suffix(".out").read_text()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_timing_page_quotes_its_example() -> None:
    text = (ROOT / "docs" / "timing.md").read_text()
    printed = (ROOT / "docs" / "examples" / "timing.out").read_text()
    assert len(printed.splitlines()) == 11
    assert all(line in text.splitlines() for line in printed.splitlines())


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_links_within_the_documents_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLE_TESTS, ids=lambda path: path.name)
def test_tests_to_copy_pass_as_a_user_runs_them(path: Path, tmp_path: Path) -> None:
    """From a copy of the folder, without our pytest settings."""
    for file in FILES:
        shutil.copy(file, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path.name]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout


def test_the_guide_shows_the_rule_as_it_is() -> None:
    guide = (ROOT / "docs" / "firmware.md").read_text()
    assert (ROOT / "docs" / "examples" / "rstdp.py").read_text() in guide


def test_the_guide_s_wire_puts_the_rule_into_a_network(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "firmware.md").read_text()
    (block,) = (part.split("```")[0] for part in guide.split("```python\n") if "def wire(" in part.split("```")[0])
    path = tmp_path / "rule.py"
    path.write_text((ROOT / "docs" / "examples" / "rstdp.py").read_text() + block)
    neuron = ne.Firmware(f"{path}.neuron", {"threshold": 100})
    populations = [ne.Population("in", 9, ne.HostInput()), ne.Population("act", 4, neuron, compete={"spike": "v"})]
    plain = ne.Network(populations, [ne.Projection("in", "act", np.full((9, 4), 500), "p")], outputs=["act"])
    wired = ne.wire(plain, path, rate=3).projection("p")
    weight = np.asarray(wired.weight)
    assert (wired.rule, wired.params, weight.shape) == (f"{path}.synapse", {"rate": 3}, (9, 4))
    assert 0 <= weight.min() < weight.max() < 128
    assert ne.compile(ne.wire(plain, path), ne.load_chip("atlas")).projections[0].params == {"rate": 24}


def test_the_guide_states_what_the_rule_costs() -> None:
    guide = (ROOT / "docs" / "firmware.md").read_text()
    results = ne.check_file(str(ROOT / "docs" / "examples" / "rstdp.py"), ne.load_chip("atlas"), {})
    assert len(results) == 7
    for result in results:
        rows = [line for line in guide.splitlines() if line.startswith(f"| `{result.program}.{result.hook}`")]
        assert [row.split(" | ")[2:] for row in rows] == [[result.operations_text, f"{result.energy_text} |"]]


def test_the_guide_says_why_it_does_not_fit_loihi1() -> None:
    path = ROOT / "docs" / "examples" / "rstdp.py"
    program = ne.load_program(f"{path}.synapse")
    with pytest.raises(ne.FirmwareError) as caught:
        check_program(program, ne.load_chip("loihi1"))
    guide = (ROOT / "docs" / "firmware.md").read_text()
    assert f"`{str(caught.value).removeprefix(f'{path.parent}/')}`" in guide


@pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.name)
def test_tool_has_help(tool: Path) -> None:
    done = subprocess.run([sys.executable, str(tool), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "usage" in done.stdout


def test_the_map_lists_every_module() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_map.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

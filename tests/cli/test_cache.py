"""``neuroemu cache``: what is held, emptied and filled ahead."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lessons import TEACH

import neuroemu as ne
from neuroemu.cli.main import main
from neuroemu.engines import cache, compiled
from neuroemu.engines.cache import write_kernel
from neuroemu.learning import training_plan
from neuroemu.learning.training_plan import follow, load_plan
from neuroemu.learning.warm import FEW, warm


class Shell:
    """Runs the command with a cache in a folder of the test's own; ``out`` and ``err`` are the last one's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.monkeypatch, self.capsys, self.folder = monkeypatch, capsys, folder
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        self.monkeypatch.setattr(sys, "argv", ["neuroemu", "cache", *arguments])
        code: Any = 0
        try:
            main()
        except SystemExit as done:
            code = done.code
        self.out, self.err = self.capsys.readouterr()
        return int(code)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    monkeypatch.setenv("NEUROEMU_CACHE", str(tmp_path / "c"))
    monkeypatch.delenv("NEUROEMU_CACHE_MIB", raising=False)
    monkeypatch.setattr(cache, "_said", set())
    monkeypatch.setattr(cache, "_private", {})
    monkeypatch.setattr(cache, "_above", lambda _folder: [])  # where the tests' folders lie is the machine's affair
    return Shell(monkeypatch, capsys, tmp_path / "c" / "kernels")


def test_what_is_held(shell: Shell) -> None:
    assert shell("--json") == 0
    assert json.loads(shell.out) == {
        "path": str(shell.folder), "kernels": 0, "bytes": 0, "most_bytes": 1 << 30, "not_used": None
    }  # fmt: skip
    write_kernel("kernel_a", {"run": bytes(1 << 20), "commit": bytes(1 << 19)})
    size = (shell.folder / "kernel_a.kernel").stat().st_size
    assert 3 << 19 < size < (3 << 19) + 300
    assert shell("--json") == 0
    assert json.loads(shell.out) == {
        "path": str(shell.folder), "kernels": 1, "bytes": size, "most_bytes": 1 << 30, "not_used": None
    }  # fmt: skip
    shell.monkeypatch.setenv("NEUROEMU_CACHE_MIB", "5")
    assert shell() == 0
    assert shell.out.replace("\n", "") == f"{shell.folder}: 1 kernel, 1.5 MiB, of 5 MiB at most"


def test_clear_removes_kernels_and_nothing_else(shell: Shell) -> None:
    write_kernel("kernel_a", {"run": bytes(1 << 20)})
    write_kernel("kernel_b", {"run": bytes(1 << 20)})
    (shell.folder / ".kernel_c.kernel.killed").write_text("half")
    (shell.folder / "mine.txt").write_text("mine")
    assert shell("clear") == 0
    assert shell.out.replace("\n", "") == f"{shell.folder}: removed 2 kernels, 2.0 MiB"
    assert [path.name for path in shell.folder.iterdir()] == ["mine.txt"]
    assert shell("clear", "--json") == 0
    assert json.loads(shell.out) == {"path": str(shell.folder), "removed": 0, "bytes": 0}


def test_a_folder_that_is_not_ours_is_shown_and_left_alone(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "kernel_a.kernel").write_text("theirs")
    shell.folder.parent.mkdir()
    shell.folder.symlink_to(tmp_path / "others")
    assert shell() == 0
    assert f"not used: {shell.folder} is a link" in shell.out.replace("\n", "")
    assert shell("clear") == 2
    text = f"{shell.folder} is a link, so nothing is removed; set NEUROEMU_CACHE to the folder that you mean"
    assert shell.err == f"neuroemu: {text}\n"
    assert (tmp_path / "others" / "kernel_a.kernel").read_text() == "theirs"


def test_warm_asks_for_a_rule_that_exists_before_any_work(shell: Shell) -> None:
    assert shell("warm", "sfdfa", "sdfa") == 2
    assert shell.err.startswith("neuroemu: no rule named 'sdfa'; did you mean 'sfdfa'? there are: event_classifier, ")
    assert shell("warm") == 2
    assert "Missing argument 'RULE...'" in shell.err
    assert not shell.folder.exists()


@pytest.mark.parametrize(
    ("rule", "network"), [("sfdfa", "64-100-10"), ("stdp", "64-100-10"), ("wta_stdp", "64-10"), ("event_classifier", "64-10")]
)  # fmt: skip
def test_a_rule_is_warmed_on_a_network_it_takes(rule: str, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the training itself, which is counted here."""
    trained = []

    def train(image: ne.Image, samples: ne.Dataset, **how: Any) -> Any:
        trained.append((len(samples), len(how["test"]), how["engine"], how["commit_every"], how["checkpoint"]))
        return SimpleNamespace(image=image)

    monkeypatch.setattr(training_plan, "train", train)
    assert warm(rule).network == network
    assert trained == [(FEW, FEW, "cpu", 1, None)]


def test_a_training_after_warm_compiles_nothing(shell: Shell, tmp_path: Path) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text(
        f"layers = [10]\n[data]\nname = 'digits'\nticks = 4\n[rule]\nname = '{TEACH}'\n"
        f"[training]\ncheckpoint = '{tmp_path}/c.npz'\n[write]\nimage = '{tmp_path}/a.image'\n"
    )
    written: list[str] = []
    keep = compiled.write_kernel

    def write(name: str, parts: Any) -> None:
        written.append(name)
        keep(name, parts)

    shell.monkeypatch.setattr(compiled, "write_kernel", write)
    compiled._last.clear()
    compiled._alive.clear()
    assert shell("warm", str(plan), "--json") == 0
    (told,) = json.loads(shell.out)
    assert (told["name"], told["network"], told["chip"]) == (str(plan), "64-10", "atlas")
    assert len(set(written)) == 2, "one that learns, one that evaluates"
    assert not (tmp_path / "c.npz").exists()
    assert not (tmp_path / "a.image").exists(), "what is trained to warm up is thrown away"
    compiled._last.clear()
    compiled._alive.clear()
    done, _ = follow(load_plan(plan))
    assert done.history[0].test_accuracy is not None
    assert len(written) == 2

"""A training that is killed at any moment goes on and ends with the same bits; one that is interrupted says so."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from children import child
from fails import fails
from lessons import FEW, TEACH, train

import neuroemu as ne

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}


def test_kill_9_at_any_moment_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after a random number of lines and microseconds, while it computes or writes; then left to end."""
    path, rng = tmp_path / "c.npz", np.random.default_rng(1)
    monkeypatch.setattr(importlib.import_module("neuroemu.learning.train"), "AT_ONCE", FEW)
    whole = train(200, commit_every=2)
    killed = 0
    for attempt in range(4):
        command = [sys.executable, str(TESTS / "lessons.py"), str(path)]
        lines = []
        last = attempt == 3
        with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
            for line in process.stdout:
                lines.append(line)
                with suppress(BrokenPipeError):  # after its last line it waits no more
                    process.stdin.write("\n")
                    process.stdin.flush()
                if not last and len(lines) == 1 + 7 * killed:
                    time.sleep(rng.uniform(0, 0.01))
                    process.send_signal(signal.SIGKILL)
                    killed += 1
            assert process.wait() == (0 if last else -signal.SIGKILL)
    assert killed == 3
    assert lines[-1].strip() == whole.memory.digest
    again = train(200, commit_every=2, checkpoint=path)
    assert [epoch.energy_fj for epoch in again.history] == [epoch.energy_fj for epoch in whole.history]
    assert [epoch.train_accuracy for epoch in again.history] == [epoch.train_accuracy for epoch in whole.history]


def test_ctrl_c_keeps_what_is_done_and_says_so(tmp_path: Path) -> None:
    plan, path = tmp_path / "p.toml", tmp_path / "c.npz"
    plan.write_text(
        f"layers = [10]\n[data]\nname = 'digits'\nticks = 4\n[rule]\nname = '{TEACH}'\n"
        f"[training]\nengine = 'python'\nepochs = 50\ncheckpoint = '{path}'\n"
    )
    command = [sys.executable, "-c", "from neuroemu.cli.main import main; main()", "train", str(plan)]
    with child(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        while not path.exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert f"neuroemu: {path} holds what is done; the same command goes on from there\n" in said
    assert said.endswith("neuroemu: interrupted\n")
    assert "Traceback" not in said


def test_a_checkpoint_is_of_one_training(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    train(40, epochs=1, checkpoint=path)
    for how, what in (
        ({"frozen": [], "schedule": {"p.rate": {5: 9}}}, "schedule"),
        ({"commit_every": 2}, "commit_every"),
        ({"n": 41}, "data"),
        ({"encode": "ttfs", "ticks": 2}, "encoder"),
        ({"start": ne.Memory(commits=3)}, "start"),
    ):
        text = f"{path}: is the checkpoint of a training with another {what}; remove it, or choose another path"
        with fails(ne.FileError, text):
            train(**{"n": 40, "epochs": 1, "checkpoint": path} | how)
    assert train(40, epochs=2, checkpoint=path).memory.digest == train(40, epochs=2).memory.digest


def test_a_path_that_cannot_be_written_shows_itself_early(tmp_path: Path) -> None:
    path = tmp_path / "none" / "c.npz"
    with fails(
        ne.FileError, f"{path}: cannot be written (No such file or directory); check the folder and its permissions"
    ):
        train(40, checkpoint=path)

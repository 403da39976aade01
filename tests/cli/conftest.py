"""A shell in a folder with the demo's first samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shell import DEMO, Shell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    inputs = np.load(DEMO / "digits_input.npz")["input"][:, :6]
    np.savez_compressed("x.npz", input=inputs)
    np.save("y.npy", np.load(DEMO / "digits_labels.npy")[:6])
    return Shell(monkeypatch, capsys)

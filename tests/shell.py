"""The command line as a shell would call it, in this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import neuroemu as ne
from neuroemu.cli.main import main

DEMO = Path(ne.__file__).parent / "data" / "demo"
NETWORK = str(DEMO / "digits.nir")


class Shell:
    """A folder to run commands in; ``out`` and ``err`` are the last one's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> int:
        """The exit code of a command."""
        self.monkeypatch.setattr(sys, "argv", ["neuroemu", *arguments])
        code: Any = 0
        try:
            main()
        except SystemExit as done:
            code = done.code
        self.out, self.err = self.capsys.readouterr()
        return int(code)

    def json(self, *arguments: str) -> Any:
        """What a command that works prints as JSON."""
        assert self(*arguments, "--json") == 0, self.err
        return json.loads(self.out)

"""Settings of every test: Hypothesis draws the same examples each time; ``--hypothesis-profile=explore`` draws others, and more.

A command says that it is working once it takes long; here it never does, for what is long depends on the machine.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuroemu.cli.screen.PATIENCE_S", 1e6)

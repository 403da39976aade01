"""Names, notes and sources come from files: a report shows them as they are, whatever a terminal's markup would make of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neuroemu as ne
from neuroemu.cli.screen import Screen
from neuroemu.cli.show import table
from neuroemu.results.report import as_text


def test_brackets_are_no_markup() -> None:
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("o[/b]", 2, ne.Firmware("if", {"threshold": 1}))],
        [ne.Projection("in", "o[/b]", np.eye(2) * 2)],
        ["o[/b]"],
        notes=("[/x] is a note, [bold] too",),
    )
    run = ne.run(ne.compile(network, ne.load_chip("generic45")), np.ones((5, 2), int), engine="python")
    costs = ne.report(replace(run, notes=(*run.notes, "[/y]")))
    for shown in (str(costs), as_text(costs.renderables())):
        assert " o[/b] " in shown
        assert "note: [/x] is a note, [bold] too" in shown
        assert "note: [/y]" in shown
        assert "[horowitz2014] Horowitz" in shown
        assert "\\" not in shown


def test_the_command_line_shows_them_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    rows = table("name [/i]")
    rows.add_row("cell [/b] :smile:")
    Screen(False).result({}, "line [/red] [bold]", rows)
    shown = capsys.readouterr().out
    assert "line [/red] [bold]\n" in shown
    assert "name [/i]" in shown
    assert "cell [/b] :smile:" in shown

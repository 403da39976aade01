"""match layer by layer: mixed conventions are found, hidden recordings decide layers one by one, silence is no match."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from mixed import CONVENTIONS, DT, inputs, parameters, spikes, write

import neuroemu as ne
from neuroemu.cli.main import cli
from neuroemu.inspect import match as searching
from neuroemu.inspect.score import Score

LAYERS = {
    name: {key: values.get(name, values["*"]) for key, values in CONVENTIONS.items()} for name in ("hidden", "out")
}


def found_layers(match: ne.Match, network: ne.Network) -> dict[str, dict[str, object]]:
    """The conventions of both layers that a match comes to."""
    applied = match.applied(network)
    return {name: {key: getattr(applied.conventions_of(name), key) for key in CONVENTIONS} for name in LAYERS}


@pytest.mark.parametrize("seed", range(3))
def test_mixed_conventions_are_found_from_the_output_alone(seed: int, tmp_path: Path) -> None:
    p, given = parameters(seed), inputs(seed)
    path = write(tmp_path / "x.nir", p)
    out = spikes(p, given)[1]
    match = ne.match(path, given, out, dt=DT)
    assert match.same[0].score.wrong > 0.05 * out.sum()
    assert match.matched
    assert match.best.wrong == 0
    assert match.simulations <= 500
    applied = match.applied(ne.read_nir(path, dt=DT))
    assert np.array_equal(ne.simulate(applied, given).spikes["out"].transpose(1, 0, 2), out)
    hidden = found_layers(match, applied)["hidden"]
    assert (hidden["reset"], hidden["reset_timing"]) == ("subtract", "next")
    assert "reproduced layer by layer: " in str(match)


def test_the_options_give_the_recording_when_pasted(tmp_path: Path) -> None:
    p, given = parameters(0), inputs(0)
    path = write(tmp_path / "x.nir", p)
    out = spikes(p, given)[1]
    words = ne.match(path, given, out, dt=DT).options.split()
    said: dict[str, dict[str, str]] = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        node, _, one = value.strip("'").rpartition("=") if value.strip("'") not in (">=", ">") else ("*", "", value)
        said.setdefault(flag.removeprefix("--").replace("-", "_"), {})[node or "*"] = one
    dt = float(said.pop("dt", {"*": "0.001"})["*"])
    network = ne.read_nir(path, dt=dt, **said)  # type: ignore[arg-type]
    assert np.array_equal(ne.simulate(network, given).spikes["out"].transpose(1, 0, 2), out)


def test_the_line_to_paste_has_what_differs_by_layer(tmp_path: Path) -> None:
    p, given = parameters(0), inputs(0)
    path = write(tmp_path / "x.nir", p)
    np.save(tmp_path / "x.npy", given)
    np.save(tmp_path / "y.npy", spikes(p, given)[1])
    words = ["--input", str(tmp_path / "x.npy"), "--expect", str(tmp_path / "y.npy"), "--dt", str(DT)]
    done = CliRunner().invoke(cli, ["match", str(path), *words])
    assert done.exit_code == 0, done.output
    options = ne.match(path, given, spikes(p, given)[1], dt=DT).options
    assert "=" in options
    assert done.output.endswith(f"\nto paste: {options}\n")


def test_hidden_recordings_decide_layer_by_layer(tmp_path: Path) -> None:
    p, given = parameters(1), inputs(1)
    path = write(tmp_path / "x.nir", p)
    hidden, out = spikes(p, given)
    match = ne.match(path, given, {"hidden": hidden, "out": out}, dt=DT)
    assert match.best == Score(0, 0, int(hidden.sum() + out.sum()))
    assert match.layered is not None
    assert match.layered.simulations < 40


def test_what_was_not_tried_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST_SIMULATIONS", 1)
    p, given = parameters(0), inputs(0)
    out = spikes(p, given)[1]
    match = ne.match(write(tmp_path / "x.nir", p), given, out, dt=DT)
    assert not match.matched
    assert match.layered is not None
    assert match.layered.untried == ("hidden", "out")
    assert "not all tried, for 500 simulations were made: layers hidden, out" in str(match)


def test_what_is_known_of_a_layer_is_kept(tmp_path: Path) -> None:
    p, given = parameters(0), inputs(0)
    path = write(tmp_path / "x.nir", p)
    out = spikes(p, given)[1]
    right = ne.match(path, given, out, dt=DT, reset={"hidden": "subtract"}, reset_timing={"hidden": "next"})
    assert right.layered is None  # one set for all others does
    assert right.best.wrong == 0
    wrong = ne.match(path, given, out, dt=DT, reset={"hidden": "zero"}, decay="euler")
    assert wrong.best.wrong > 0
    assert found_layers(wrong, ne.read_nir(path, dt=DT))["hidden"]["reset"] == "zero"
    with pytest.raises(ne.UnknownNameError, match=r"^no population named 'lif1'; there are: input, hidden, out$"):
        ne.match(path, given, out, reset={"lif1": "zero"})


def test_a_silent_network_is_no_match_of_one_spike() -> None:
    """One recorded spike in 2000 bins: a network that never fires is wrong in 0.05 % of the bins, and in every spike."""
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("out", 1, ne.LIF(tau=1e-2, v_threshold=1e6))],
        [ne.Projection("in", "out", [[1.0]])],
        outputs=["out"],
    )
    given, expected = np.ones((2000, 1), int), np.zeros((2000, 1), int)
    expected[1000] = 1
    match = ne.match(network, given, expected)
    assert not match.matched
    assert match.best == Score(1, 0, 1)
    assert match.best.share == 1.0
    assert "the nearest for all layers: 0 of 1 recorded spikes, 0 too many: it is silent" in str(match)


def test_scores_order_by_wrong_spikes() -> None:
    assert Score(1, 1, 9) < Score(3, 0, 9) < Score(2, 2, 9)
    assert str(Score(2, 1, 9)) == "7 of 9 recorded spikes, 1 too many"
    assert (Score(9, 0, 9).silent, Score(9, 1, 9).silent) == (True, False)

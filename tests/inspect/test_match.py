"""match finds the conventions of other frameworks' recordings, says which cannot be told apart, and says no when none fits."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails
from nir_data import CONVENTIONS, Vector, vector

import neuroemu as ne
from neuroemu.cli.main import main
from neuroemu.inspect.match_result import AXES, Alike, Match
from neuroemu.inspect.ticks import tick_lengths

DEFAULTS = {name: getattr(ne.Conventions(), name) for name in AXES}


@cache
def search(number: str) -> Match:
    return found(vector(number))


def found(data: Vector, **known: Any) -> Match:
    return ne.match(data.path, data.input, data.output, **known)


def holds(rows: tuple[Alike, ...], **conventions: Any) -> bool:
    """Whether some row allows these conventions, the defaults for those not named."""
    wanted = {**DEFAULTS, **conventions}
    return any(all(wanted[name] in alike.values[name] for name in AXES) for alike in rows)


def values(match: Match, name: str) -> set[Any]:
    return {value for alike in match.same for value in alike.values[name]}


@pytest.mark.parametrize("number", CONVENTIONS)
def test_the_right_conventions_are_among_those_that_reproduce_the_recording(number: str) -> None:
    data = vector(number)
    match = search(number)
    assert match.matched
    assert match.same[0].wrong == 0
    assert holds(match.same, **CONVENTIONS[number])
    assert match.spikes == data.output.sum() > 10
    assert match.simulations <= 2 * match.combinations


@pytest.mark.parametrize("number", CONVENTIONS)
def test_every_combination_it_names_gives_the_recorded_spikes_and_no_other_does(number: str) -> None:
    data = vector(number)
    few = replace(data, input=data.input[:, :20], output=data.output[:, :20])
    match = ne.match(few.path, few.input, few.output)
    for reset, timing in (("zero", "now"), ("zero", "next"), ("subtract", "now"), ("subtract", "next")):
        wanted = {**DEFAULTS, **CONVENTIONS[number], "reset": reset, "reset_timing": timing}
        reference = ne.simulate(few.network(**wanted), few.input)
        same = few.wrong_bins(reference.spikes[reference.outputs[0]]) == 0
        assert same == holds(match.same, **wanted), wanted


WRONG = [
    ("00", {"spike_if": ">"}),
    ("01a", {"reset": "subtract"}),
    ("01a", {}),
    ("01a", {"reset_timing": "next"}),
    ("01b", {"reset": "subtract", "reset_timing": "next"}),
    ("01b", {}),
    ("01c", {"reset": "subtract"}),
    ("01d", {"reset": "subtract", "reset_timing": "next"}),
    ("02", {"reset": "subtract"}),
    ("02", {"reset_timing": "next"}),
    ("02", {"dt": 1e-3}),
    ("02", {"decay": "exp"}),
    ("03", {"decay": "exp"}),
    ("10", {"dt": 1e-4}),
]


@pytest.mark.parametrize(("number", "conventions"), WRONG)
def test_wrong_conventions_are_excluded(number: str, conventions: dict[str, Any]) -> None:
    assert not holds(search(number).same, **conventions)


def test_what_makes_no_difference_is_any() -> None:
    """01's zero reset shows no timing with this input; one weight and dyadic constants show neither spike_if nor gain."""
    assert search("01c").no_difference == ("reset_timing", "spike_if", "gain")
    assert search("02").no_difference == ("spike_if", "gain")
    integer = search("00")
    assert integer.no_difference == ("decay",)
    assert values(integer, "spike_if") == {">="}


def test_the_options_give_the_recording_when_pasted() -> None:
    data = vector("01a")
    match = search("01a")
    assert match.same[0].options == "--reset subtract --reset-timing next"
    assert match.conventions == ne.Conventions(reset="subtract", reset_timing="next")
    reference = ne.simulate(replace(data.network(), conventions=match.conventions), data.input)
    assert data.wrong_bins(reference.spikes["1"]) == 0
    assert search("00").same[0].options == "--spike-if '>='"
    assert search("10").same[0].options == "--dt 0.001"


def test_text_shows_the_answer() -> None:
    text = str(search("01a"))
    assert text.startswith("reproduced: 18 of 18 recorded spikes, 0 too many; these conventions cannot be told apart:")
    assert "0 (0.00%)      0.0001   subtract   next           any        euler   any    --reset subtract" in text
    assert "any: makes no difference here (spike_if, gain)" in text
    assert "tried 128 combinations in 112 simulations, with dt of 0.0001 (the network's own); 8.94e-05 (" in text


def test_a_network_is_matched_as_a_file_is_and_known_conventions_are_kept() -> None:
    data = vector("02")
    few, spikes = data.input[:, :30], data.output[:, :30]
    match = ne.match(data.network(), few, spikes)
    assert holds(match.same)
    known = ne.match(data.network(), few, spikes, dt=1e-4, reset="subtract", tolerance=0.0)
    assert not known.matched
    assert known.combinations == 16
    assert values(known, "dt") == {1e-4}
    assert values(known, "reset") == {"subtract"}
    assert "--dt 0.0001 --reset subtract" in known.same[0].options
    assert 0.5 < known.same[0].share < 1
    assert str(known).startswith(
        "no conventions for all layers are wrong in at most 0.00% of the spikes; the nearest for all layers: "
        f"{spikes.sum() - known.same[0].score.missed} of {spikes.sum()} recorded spikes, {known.same[0].score.extra} too many"
    )
    assert known.layered is not None
    assert {"reset", "dt"}.isdisjoint({name for given in known.layered.nodes.values() for name in given})


def test_what_is_worse_but_tolerated_comes_after() -> None:
    data = vector("02")
    match = ne.match(data.path, data.input[:, :40], data.output[:, :40], tolerance=0.9)
    assert match.same[0].wrong == 0
    assert match.near
    shares = [alike.share for alike in match.near]
    assert 0 < shares[0] == min(shares) <= max(shares) <= 0.9
    assert not holds(match.same, reset_timing="next")
    assert holds(match.near, reset_timing="next")
    assert "worse, but within 90.00% of the spikes:" in str(match)


def test_a_recording_that_lags_is_matched_with_its_lag() -> None:
    data = vector("01a")
    late = np.roll(data.output, 2, axis=0)
    late[:2] = 0
    assert not ne.match(data.path, data.input, late).matched
    match = ne.match(data.path, data.input, late, lag=2)
    assert match.matched
    assert match.bins == 398
    assert holds(match.same, **CONVENTIONS["01a"])


def test_bins_of_several_spikes_and_graded_inputs_are_noted() -> None:
    data = vector("01b")
    several, graded = data.output.copy(), data.input.astype(int)
    several[np.flatnonzero(several)[:3]] = 2
    graded[5] = 3
    notes = ne.match(data.path, graded, several).notes
    assert notes == (
        "3 recorded bins hold more than one spike (neurons of sinabs and Rockpool may send several a tick), which no convention "
        "here gives",
        "input values other than 0 and 1 multiply the weights here; on the chip, --graded-input lets them",
    )
    match = ne.match(data.path, data.input, data.output, graded_input=True)
    assert match.same[0].options == "--reset subtract --graded-input"
    assert match.notes == ()


def one(neuron: ne.LIF | ne.IF | ne.CubaLIF | ne.LI, **conventions: Any) -> ne.Network:
    return ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("out", 2, neuron)],
        [ne.Projection("in", "out", np.eye(2))],
        outputs=["out"],
        conventions=ne.Conventions(**conventions),
    )


def test_several_outputs_and_shaped_ones_are_compared_by_name() -> None:
    rng = np.random.default_rng(4)
    network = ne.Network(
        [
            ne.Population("in", 6, ne.HostInput()),
            ne.Population("a", (2, 3), ne.IF()),
            ne.Population("b", 4, ne.LIF(tau=1e-3, r=10.0)),
        ],
        [ne.Projection("in", "a", rng.normal(0.2, 0.4, (6, 6))), ne.Projection("a", "b", rng.normal(0.3, 0.5, (6, 4)))],
        outputs=["a", "b"],
        conventions=ne.Conventions(gain="unit", reset="subtract"),
    )
    inputs = (rng.random((30, 5, 6)) < 0.4).astype(int)
    exact = ne.simulate(network, inputs).spikes
    expected = {"a": exact["a"].transpose(1, 0, 2).reshape(30, 5, 2, 3), "b": exact["b"].transpose(1, 0, 2)}
    plain = replace(network, conventions=ne.Conventions())
    match = ne.match(plain, inputs, expected)
    assert match.bins == 30 * 5 * 10
    assert match.spikes == exact["a"].sum() + exact["b"].sum() > 100
    assert holds(match.same, reset="subtract", gain="unit")
    assert not holds(match.same)
    assert ne.match(plain, inputs, {"a": expected["a"]}).bins == 30 * 5 * 6
    with fails(ne.StimulusError, "the network has 2 outputs (a, b); give the expected spikes of one or more by name"):
        ne.match(plain, inputs, expected["a"])


def test_a_long_recording_is_screened_on_its_first_rows() -> None:
    """Spikes that come late enough are still seen: rows are taken until some were recorded."""
    network = one(ne.LIF(tau=1e-3), reset="subtract", gain="unit")
    inputs = np.zeros((900, 1, 2), int)
    inputs[600:] = np.random.default_rng(5).random((300, 1, 2)) < 0.7
    expected = ne.simulate(network, inputs).spikes["out"].transpose(1, 0, 2)
    assert not expected[:600].any()
    match = ne.match(replace(network, conventions=ne.Conventions()), inputs, expected)
    assert match.same[0].wrong == 0
    assert holds(match.same, reset="subtract", gain="unit")
    assert not holds(match.same, gain="unit")


def test_candidates_for_dt_come_from_the_constants() -> None:
    habits = {1e-4, 1e-3, 1e-6}
    assert set(tick_lengths(one(ne.LIF(tau=2e-2, r=40.0)))) - habits == {5e-4, 4.88e-4}
    assert set(tick_lengths(one(ne.LIF(tau=[0.02, 0.04], r=[40.0, 50.0])))) == habits  # not one dt for both
    assert set(tick_lengths(one(ne.LIF(tau=10.0)))) - habits == {1.0}  # r = 1 says nothing
    assert set(tick_lengths(one(ne.IF(r=500.0)))) - habits == {2e-3}
    assert set(tick_lengths(one(ne.CubaLIF(tau_syn=4e-3, tau_mem=8e-3, r=16, w_in=8)))) - habits == {5e-4}
    assert next(iter(tick_lengths(one(ne.LIF(tau=0.02), dt=2e-3)))) == 2e-3
    tau, dt = 0.02, 1.25e-3  # as Rockpool writes r
    assert dt in tick_lengths(one(ne.LIF(tau=tau, r=tau / dt * np.exp(-dt / tau))))


def test_unsuitable_input_is_one_sentence() -> None:
    data = vector("02")
    with fails(
        ne.UnknownNameError,
        "no convention named 'resett'; did you mean 'reset'? there are: dt, reset, reset_timing, spike_if, decay, gain",
    ):
        found(data, resett="zero")
    with fails(
        ne.StimulusError,
        "tolerance is 1; give the share of recorded spikes that may be missed or too many, from 0 to below 1",
    ):
        found(data, tolerance=1)
    with fails(ne.StimulusError, "lag is 20, the input has 20 rows; give the ticks by which the spikes are later"):
        found(data, lag=20)
    with fails(
        ne.StimulusError,
        "expected spikes of '3' have shape (20, 10), the input has 20 rows of 360 presentations and '3' 10 neurons; "
        "give (rows, neurons) or (rows, presentations, neurons)",
    ):
        ne.match(data.path, data.input, data.output[:, 0])
    with fails(ne.StimulusError, "expected spikes of '3' have dtype <U1; give numbers"):
        ne.match(data.path, data.input, data.output.astype(str).astype("<U1"))
    with fails(ne.StimulusError, "expected spikes of '3' hold 0.5; a bin holds a number of spikes, give integers"):
        ne.match(data.path, data.input, data.output * 0.5)
    with fails(
        ne.StimulusError,
        "the expected spikes are all zero; silence proves no convention, give a recording that has spikes",
    ):
        ne.match(data.path, data.input, data.output * 0)
    with fails(
        ne.StimulusError, "expected spikes name 'four', the network's spiking populations are: 1, 3; name one of them"
    ):
        ne.match(data.path, data.input, {"four": data.output})


def test_unsuitable_networks_are_one_sentence() -> None:
    ones = np.ones((9, 2), int)
    with fails(
        ne.StimulusError,
        "output 'out' is a read-out that never spikes; match compares spikes, give those of a spiking output",
    ):
        ne.match(one(ne.LI(tau=1e-3)), ones, ones)
    with fails(ne.StimulusError, "the network has 0 outputs (none); give the expected spikes of one or more by name"):
        ne.match(replace(one(ne.LIF(tau=1e-3)), outputs=()), ones, ones)
    integer = replace(
        one(ne.IF()), populations=(one(ne.IF()).populations[0], ne.Population("out", 2, ne.Firmware("if")))
    )
    with fails(ne.NetworkError, "population 'out' is in register units; only float models can be simulated in float"):
        ne.match(integer, ones, ones)
    with fails(ne.NetworkError, "population 'out': tau is -1 s; a time constant is above 0"):
        ne.match(one(ne.LIF(tau=-1.0)), ones, ones)


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["neuroemu", "match", *map(str, words)])
    with pytest.raises(SystemExit) as done:
        main()
    return int(done.value.code or 0)


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = vector("01a")
    files = [tmp_path / "x.npy", tmp_path / "y.npz"]
    np.save(files[0], data.input)
    np.savez(files[1], spikes=data.output)
    words = [data.path, "--input", files[0], "--expect", files[1]]
    assert call(monkeypatch, *words) == 0
    shown = capsys.readouterr()
    assert shown.err == ""  # no warnings while trying
    assert shown.out.endswith("\nto paste: --reset subtract --reset-timing next\n")
    assert call(monkeypatch, *words, "--reset", "zero", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert not answer["matched"]
    assert answer["same"][0]["reset"] == ["zero"]
    assert answer["same"][0]["wrong"] > 0
    assert call(monkeypatch, *words, "--lag", 400) == 2
    assert capsys.readouterr().err.startswith("neuroemu: lag is 400, the input has 400 rows")

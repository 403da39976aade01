"""A crossbar's events visit whole rows: counted alike by every engine, and by hand from the packets."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, firmware
from crossbars import N, looped, stimulus
from fails import fails
from limited import GENERIC

import neuroemu as ne
from neuroemu.chip.chip import Chip, parse_chip
from neuroemu.engines.run import ENGINES


def rows(run: ne.Run) -> dict[tuple[int, str], int]:
    return {(core, owner): n for key, core, owner, n in run.counts.rows() if key == "row"}


@pytest.mark.parametrize("engine", ENGINES)
def test_odin_visits_a_row_an_event_and_its_neurons_a_tick(engine: str) -> None:
    """What the host and the neurons sent, which all came in but for the last tick's; and every tick, a time reference."""
    chip = ne.load_chip("odin")
    x = stimulus(6)
    image = ne.compile(looped("odin"), chip, align=False)
    done = ne.run(image, x, engine=engine)
    last = done.spikes.tick == done.ticks - 1
    heard = np.asarray(
        [np.any(image.projections[k].parts[0].fan_out[neuron] > 0 for k in (1, 2)) for neuron in range(5)]
    )
    a = done.spikes.neuron[done.spikes.neuron < 11] - 6
    assert min(np.bincount(a, minlength=5)) > 3
    assert np.count_nonzero(done.spikes.neuron >= 11) > 10
    late = np.isin(a, np.flatnonzero(heard)) & last[done.spikes.neuron < 11]
    expected = {
        (0, "in"): int((x * (looped("odin").projections[0].weight.any(axis=1))).sum()),  # type: ignore[union-attr]
        (0, "a"): a.size - int(late.sum()) + done.ticks * N,
        (0, "b"): int(np.count_nonzero(done.spikes.neuron >= 11)),
    }
    assert rows(done) == expected
    assert done.counts["visit"] == 256 * sum(expected.values())
    assert done.counts["synop"] < done.counts["visit"] / 40
    costs = ne.report(done)
    assert costs.total_fj == done.counts["visit"] * 12700
    assert costs.unknown == ()


def cut(n: int, timed: str = "lif", **limits: int) -> Chip:
    """generic45 with so many neurons a core and these limits, where a tick of neuron ``timed`` is a time reference."""
    lines = [
        f'{key} = {{ value = {value}, unit = "x", basis = "estimated", source = "choice" }}'
        for key, value in ({"neurons": n} | limits).items()
    ]
    text = GENERIC.replace("[core.programs]\n", "\n".join([*lines, "", "[core.programs]", f'timed = ["{timed}"]', ""]))
    return parse_chip(text, "small.toml")


def test_engines_count_rows_alike_on_two_cores() -> None:
    """Neurons 0 and 1 of 'a' send to their own core, so 2, 3 and 4, which do not, have rows there; 'b' on core 1 hears only 'a'."""
    network = looped("lif", "drive", 40)
    image = ne.compile(network, cut(5, row_synapses=16, own_rows=1))
    python, event = (ne.run(image, stimulus(6), engine=engine) for engine in ("python", "event"))
    assert python.differs(event) is None
    sent = np.bincount(python.spikes.neuron, minlength=15)
    assert min(sent[8:11]) > 5
    assert sum(sent[11:]) > 5
    taken = {(core, owner): n for key, core, owner, n in python.counts.rows() if key == "axon_in"}
    ticks = python.counts["barrier"]
    assert rows(python) == taken | {
        (0, "a"): taken[0, "a"] + sum(sent[8:11]) + ticks,
        (1, "b"): ticks,
    }
    assert taken[1, "a"] > 5
    without = ne.run(ne.compile(network, cut(5, row_synapses=16)), stimulus(6), engine="python")
    assert python.counts["row"] - without.counts["row"] == sum(sent[8:11])


def test_learnings_share_of_visits_is_apart() -> None:
    """In a learning phase packets visit rows, and so do time references; what a modulator says visits none."""
    case = CASES["graded"](np.random.default_rng(3))
    image = ne.compile(case.network, cut(4, firmware("chatty"), row_synapses=16, own_rows=1))
    assert image.n_cores == 2
    python, event = (
        ne.run(image, case.stimulus(), engine=engine, plastic=True, commit_every=2) for engine in ("python", "event")
    )
    assert python.differs(event) is None
    for part in ("", "learning."):
        counts = {key: python.counts[part + key] for key in ("row", "axon_in", "hook_modulate", "visit", "barrier")}
        assert counts["row"] == counts["axon_in"] - counts["hook_modulate"] + 2 * counts["barrier"]
        assert counts["visit"] == 16 * counts["row"] > 16 * 2 * counts["barrier"] > 0


def test_a_row_costs_the_same_whatever_its_weights() -> None:
    chip = ne.load_chip("odin")
    x = stimulus(8)

    def energy(weight: np.ndarray) -> tuple[int, int]:
        network = ne.Network(
            [
                ne.Population("in", 8, ne.HostInput()),
                ne.Population("p", 6, ne.Firmware("odin_event", {"threshold": 200})),
            ],
            [ne.Projection("in", "p", weight, routes={"input": [("exc", "weight")]})],
        )
        run = ne.run(ne.compile(network, chip), x, engine="python")
        return run.counts["synop"], ne.report(run).total_fj

    full, half = energy(np.full((8, 6), 2)), energy(np.full((8, 6), 2) * (np.arange(6) % 2))
    assert full[0] == 2 * half[0] == 6 * x.sum()
    assert (
        full[1] == half[1] == x.sum() * 256 * 12700
    )  # a tick without an event costs nothing: odin_event has no reference in it


def test_only_crossbars_lack_a_price_of_visits() -> None:
    assert "energy of visit" not in ne.chip_facts(ne.load_chip("loihi1"))["unknown"]
    text = "visit         = { value = 12.7"
    odin = ne.load_chip("odin").text
    assert odin.count(text) == 1
    silent = parse_chip("\n".join(line for line in odin.replace('included_in = "visit"', "not_applicable = true").splitlines()
                                  if not line.startswith(text)), "odin.toml")  # fmt: skip
    assert "energy of visit" in ne.chip_facts(silent)["unknown"]


def test_a_timed_program_is_one_of_the_chips() -> None:
    text = ne.load_chip("odin").text
    with fails(
        ne.DatasheetError,
        "x.toml: core.programs.timed: 'lif' is not in names, which has: odin, odin_event, odin_sdsp.neuron; name one of these",
    ):
        parse_chip(text.replace('timed = ["odin"]', 'timed = ["lif"]'), "x.toml")

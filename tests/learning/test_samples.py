"""What a training is given: samples, encoders that suit the image, and where the answer is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fails import fails
from lessons import CLASSES, N_IN, TEACH, dataset, encode, image, task, train

import neuroemu as ne
from neuroemu.learning.samples import encoder, output_of, plain, readout_of


def chain(rule: str, **options: Any) -> ne.Image:
    sizes = {"in": 6, "h": 5, "out": 3}
    populations = [ne.Population(name, n, ne.IF() if name != "in" else ne.HostInput()) for name, n in sizes.items()]
    projections = [
        ne.Projection("in", "h", np.zeros((6, 5)), "w1"),
        ne.Projection("h", "out", np.zeros((5, 3)), "w2"),
    ]
    network = ne.Network(populations, projections, outputs=["out"])
    return ne.compile(ne.wire(network, rule, **options), ne.load_chip("atlas"))


def two_outputs(probes: list[tuple[str, str]]) -> ne.Image:
    network = ne.Network(
        [ne.Population("in", 3, ne.HostInput()), ne.Population("a", 2, ne.Firmware("if", {"threshold": 3})),
         ne.Population("b", 2, ne.Firmware("if", {"threshold": 3}))],
        [ne.Projection("in", "a", np.ones((3, 2), int)), ne.Projection("in", "b", np.ones((3, 2), int))],
        ["a", "b"],
        probes,
    )  # fmt: skip
    return ne.compile(network, ne.load_chip("atlas"))


def test_a_dataset_a_pair_and_lists_are_the_same_training() -> None:
    inputs, labels = task(60, 1)
    how: dict[str, Any] = {"encode": encode, "engine": "python"}
    trained = [
        ne.train(image(), given, **how).memory
        for given in (dataset(60, 1), (inputs, labels), (inputs.tolist(), labels.tolist()))
    ]
    assert trained[0].weights["p"].any()
    assert len({memory.digest for memory in trained}) == 1


def test_the_shortest_call_trains() -> None:
    """Encoder, ticks, output and read-out all by default: what the image says."""
    trained = ne.train(image(), dataset(300, 1), engine="python").image
    assert ne.evaluate(trained, dataset(200, 2), engine="python") > 0.8


def test_encoders_by_default() -> None:
    samples = plain(dataset(4, 1))
    given = encoder(chain("sfdfa", ticks=40), plain((np.array([[0, 1, 2, 3, 4, 0]] * 2), [0, 1])))
    stimulus = given(np.array([[0, 1, 2, 3, 4, 0]]), 7)
    assert (stimulus.rows, stimulus.n, stimulus.first) == (40, 1, 7)
    rows = np.repeat(np.arange(40), np.diff(stimulus.events["in"].indptr[0]))
    assert sorted(rows) == [0, 5, 10, 15]
    graded = encoder(chain("spikegrad"), samples)(np.array([[0, 5, 0, 2, 0, 0]]), 0)
    assert (graded.rows, graded.events["in"].payload.tolist()) == (1, [5, 2])
    bright = encoder(chain("spikegrad"), plain((np.array([[0, 255]]), [0])))(np.array([[0, 255, 64, 7, 0, 0]]), 0)
    assert bright.events["in"].payload.tolist() == [31, 8]
    voted = encoder(image(), samples, ticks=3, vote=True)(np.array([[1] * N_IN]), 0)
    assert voted.events["in"].neuron.size == 3 * N_IN
    assert encoder(image(), samples, encode) is encode
    scaled = encoder(image(), plain((np.array([[0, 3]]), [0])), ticks=6)(
        np.array([[1, 3]]), 0
    )  # top is the training data's
    assert np.flatnonzero(np.diff(scaled.events["in"].indptr[0])).tolist() == [0, 2]


def test_where_the_answer_is_read() -> None:
    built = image()
    assert output_of(built, None) == "out"
    assert readout_of(built, "out", None) == ("out", "v")
    assert readout_of(built, "out", "v") == ("out", "v") == readout_of(built, "out", ("out", "v"))
    assert readout_of(built, "out", "vote") == "vote"
    assert readout_of(two_outputs([]), "a", None) == "vote"
    assert readout_of(two_outputs([("a", "v")]), "a", None) == ("a", "v")


def test_spikes_of_payload_0_are_counted_too() -> None:
    built = chain("sfdfa", ticks=30, threshold=0.2)
    done = ne.run(built, np.ones((10, 2, 6), int), engine="python")
    counts = done.spike_counts("h")
    assert counts.shape == (2, 5)
    assert counts.sum() == done.counts.by_owner("send_spike")["h"] > (done.raster("h") != 0).sum()


@pytest.mark.parametrize("rule", ["sfdfa", "spikegrad"])
def test_a_trained_image_answers_as_its_training_was_judged(rule: str) -> None:
    """Run.accuracy asks the spikes of an output that spikes, and v of one that only sends errors."""
    options = {"ticks": 30, "k": 4, "threshold": 0.2, "output_threshold": 0.125, "rate": 5, "output_rate": 6}
    built, rng = chain(rule, **(options if rule == "sfdfa" else {})), np.random.default_rng(4)
    labels = rng.integers(0, 3, 60)
    samples = rng.integers(0, 17, (3, 6))[labels], labels
    done = ne.train(built, samples, engine="python")
    shown = encoder(built, plain(samples), None, ticks=None, seed=0, vote=False)
    run = ne.run(done.image, shown(samples[0], 0), engine="python")
    assert run.accuracy(labels) == ne.evaluate(done.image, samples, engine="python")
    register = "n" if rule == "sfdfa" else "v"
    score = run.probes["out", register][:, -1]
    assert np.array_equal(run.spike_counts("out") if rule == "sfdfa" else run.readout["out"], score)
    assert score.any()


def test_what_is_refused() -> None:
    samples = plain(dataset(4, 1))
    text = "the samples are neither a Dataset nor a pair (inputs, labels); give one, such as the first of ne.load_dataset('digits')"
    for wrong in ((dataset(4, 1), dataset(4, 2)), np.zeros((3, 3))):
        with fails(ne.RunError, text):
            plain(wrong)  # type: ignore[arg-type]
    with fails(ne.UnknownNameError, "no encoder named 'tfts'; did you mean 'ttfs'? there are: ttfs, rate, graded"):
        encoder(image(), samples, "tfts")
    with fails(
        ne.UnknownNameError,
        "no option of encoder 'ttfs' named 'windw'; did you mean 'window'? there are: top, window, name",
    ):
        encoder(image(), samples, "ttfs", options={"windw": 3})
    with fails(ne.RunError, "option window of encoder 'ttfs' is 2.5; give a whole number"):
        encoder(image(), samples, "ttfs", options={"window": 2.5})
    with fails(ne.RunError, "option once of encoder 'graded' is 1; give true or false"):
        encoder(image(), samples, "graded", options={"once": 1})
    with fails(
        ne.RunError,
        "the network has no phases that say how many ticks an input lasts; give ticks=N (in a plan: data.ticks)",
    ):
        encoder(two_outputs([]), samples)
    with fails(ne.RunError, "the network has 2 outputs (a, b); say which with output=name"):
        output_of(two_outputs([]), None)
    text = (
        "the network has 0 host inputs, an encoder feeds one; train it from Python, with encode=function(values, first) that "
        "returns a Stimulus"
    )
    network = ne.Network([ne.Population("a", 2, ne.Firmware("if", {"threshold": 3}))], outputs=["a"])
    with fails(ne.RunError, text):
        encoder(ne.compile(network, ne.load_chip("atlas")), samples)


def test_an_ambiguous_readout_is_refused() -> None:
    network = ne.wire(
        ne.Network(
            [
                ne.Population("in", N_IN, ne.HostInput()),
                ne.Population("out", CLASSES, ne.Firmware("li", {"decay_v": 0})),
            ],
            [ne.Projection("in", "out", np.zeros((N_IN, CLASSES)), "p")],
            outputs=["out"],
        ),
        TEACH,
    )
    both = ne.compile(replace(network, probes=[("out", "v"), ("out", "e")]), ne.load_chip("atlas"))
    text = "population 'out' has 2 probed registers (v, e); say which holds the answer with readout=register (in a plan: training.readout)"
    with fails(ne.RunError, text):
        readout_of(both, "out", None)


@pytest.mark.parametrize("name", ["ttfs", "rate"])
def test_an_encoder_by_name_with_ticks(name: str) -> None:
    done = train(200, encode=name, ticks=3, epochs=1, test=dataset(200, 2))
    assert (done.history[0].test_accuracy or 0) > 0.5

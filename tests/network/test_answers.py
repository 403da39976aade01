"""Answers of the float reference are held against labels as those of a run are: nothing is broadcast, no output is picked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fails import fails

import neuroemu as ne


def reference() -> ne.Reference:
    """Three presentations; in each the host drives one of two neurons, the second in the last."""
    weights = 1e3 * np.eye(2)
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("o", 2, ne.IF(r=1e3))],
        [ne.Projection("in", "o", weights)],
        outputs=["o"],
    )
    inputs = np.zeros((5, 3, 2), int)
    inputs[:, [0, 1, 2], [0, 0, 1]] = 1
    return ne.simulate(network, inputs)


def test_accuracy_is_the_share_of_right_answers() -> None:
    found = reference()
    assert found.prediction.tolist() == [0, 0, 1]
    assert [found.accuracy(labels) for labels in ([0, 0, 1], [0, 1, 1], [1, 1, 0])] == [1, 2 / 3, 0]


@pytest.mark.parametrize("labels", [[0], [0, 0], np.eye(2, dtype=int)[[0, 0, 1]]], ids=["one", "two", "one-hot"])
def test_accuracy_needs_one_label_a_presentation(labels: object) -> None:
    """One label for three presentations was held against each of them."""
    with fails(ne.RunError, f"{np.size(labels)} labels for 3 presentations; give one a presentation"):  # type: ignore[arg-type]
        reference().accuracy(labels)  # type: ignore[arg-type]


def test_prediction_needs_one_output() -> None:
    found = reference()
    for outputs in ((), ("o", "o2")):
        text = f"the network has {len(outputs)} outputs, a prediction needs one; read spikes of the populations instead"
        with fails(ne.RunError, text):
            _ = replace(found, outputs=outputs).prediction


NO_LABELS = [
    ([6.7, 1, 2], "label 6.7 is not a whole number; give one integer a presentation"),
    ([0, float("nan"), 2], "label nan is not a whole number; give one integer a presentation"),
    ([float("inf"), 1, 2], "label inf is not a whole number; give one integer a presentation"),
    (["6", "1", "2"], "labels have dtype <U1; give one integer a presentation"),
    ([[0], [1, 2], [3]], "labels have dtype object; give one integer a presentation"),
]


@pytest.mark.parametrize(("labels", "text"), NO_LABELS, ids=[repr(labels) for labels, _ in NO_LABELS])
def test_what_is_no_label_is_refused_wherever_labels_are_given(labels: list[object], text: str) -> None:
    """6.7 and "6" were trained as 6, and no accuracy ever counted them right."""
    found = reference()
    image = ne.compile(
        ne.Network([ne.Population("o", 2, ne.Firmware("lif", {"decay_v": 0, "threshold": 5}))], [], outputs=["o"]),
        ne.load_chip("generic45"),
    )
    asks = (
        lambda: found.accuracy(labels),  # type: ignore[arg-type]
        lambda: ne.train(image, (np.zeros((3, 2), int), labels)),  # type: ignore[arg-type]
        lambda: ne.label_neurons(np.zeros((3, 2), int), labels, 3),  # type: ignore[arg-type]
        lambda: ne.vote(np.zeros((1, 3), int), labels),  # type: ignore[arg-type]
    )
    for ask in asks:
        with fails(ne.RunError, text):
            ask()


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32, int])
def test_a_whole_number_of_any_type_is_a_label(kind: type) -> None:
    assert reference().accuracy(np.array([0, 1, 1]).astype(kind)) == 2 / 3

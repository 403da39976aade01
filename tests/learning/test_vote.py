"""Labels for neurons that learned without any, and what they say of a sample."""

from __future__ import annotations

import numpy as np
from fails import fails

import neuroemu as ne

COUNTS = np.array([[5, 1, 0, 0], [4, 0, 0, 2], [0, 3, 3, 0], [0, 0, 0, 0], [1, 2, 0, 0], [9, 0, 0, 0]])
LABELS = np.array([2, 2, 0, 1, 1, 1])


def test_a_neuron_gets_the_label_it_wins_most_often_for() -> None:
    """Neuron 0 wins for 2, 2, 1; neuron 1 for 0 (a tie with 2) and 1, the lower label; 2 and 3 for none; silence counts for nobody."""
    assert ne.label_neurons(COUNTS, LABELS, 3).tolist() == [2, 0, -1, -1]


def test_the_most_active_labelled_neuron_decides() -> None:
    counts = [[1, 5, 0, 9], [3, 3, 0, 0], [0, 0, 7, 8], [0, 0, 0, 0]]
    assert ne.vote(counts, [2, 0, -1, -1]).tolist() == [0, 2, -1, -1]
    assert ne.vote(np.zeros((2, 0)), []).tolist() == [-1, -1]


def test_what_does_not_fit_is_refused() -> None:
    with fails(ne.RunError, "2 labels for the spike counts of 6 samples; give one a sample"):
        ne.label_neurons(COUNTS, [0, 1], 3)
    with fails(ne.RunError, "label 2 is not one of 2 classes, 0..1; correct it"):
        ne.label_neurons(COUNTS, LABELS, 2)
    with fails(ne.RunError, "3 labels for 4 neurons; give what label_neurons returned"):
        ne.vote(COUNTS, [0, 1, 2])
    with fails(ne.RunError, "spike counts have shape (4,); give (samples, neurons), as Run.spike_counts does"):
        ne.vote(COUNTS[0], [0, 1, 2, 0])

"""Read out a population that learned without labels: each neuron gets the label it answers to, and the most active one decides.

The spike-count classifier of Thiele 2019, section 3.3: frozen weights, one pass over labelled samples, a majority for every neuron.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.network.answers import whole_labels

NO_LABEL = -1
"""Of a neuron that no sample was for, and of a sample that no labelled neuron answered."""


def label_neurons(counts: ArrayLike, labels: ArrayLike, n_classes: int) -> Ints:
    """The label of every neuron, shape (neurons,): that of most samples it was the most active for.

    ``counts`` are spikes, shape (samples, neurons), as Run.spike_counts gives them; ``labels`` has shape (samples,). A sample
    without spikes counts for nobody; a neuron no sample counts for gets NO_LABEL. Ties go to the lowest neuron and label.
    Raises RunError.
    """
    spikes, classes = _counts(counts), whole_labels(labels)
    if classes.size != len(spikes):
        raise RunError(f"{classes.size} labels for the spike counts of {len(spikes)} samples; give one a sample")
    if classes.size and not 0 <= classes.min() <= classes.max() < n_classes:
        bad = classes[(classes < 0) | (classes >= n_classes)][0]
        raise RunError(f"label {bad} is not one of {n_classes} classes, 0..{n_classes - 1}; correct it")
    votes = np.zeros((spikes.shape[1], n_classes), np.int64)
    answered = spikes.max(axis=1, initial=0) > 0
    np.add.at(votes, (spikes[answered].argmax(axis=1), classes[answered]), 1)
    return np.where(votes.any(axis=1), votes.argmax(axis=1), NO_LABEL)


def vote(counts: ArrayLike, neuron_labels: ArrayLike) -> Ints:
    """The label of every sample, shape (samples,): that of its most active labelled neuron, ties to the lowest neuron.

    NO_LABEL where no labelled neuron spiked. Raises RunError.
    """
    spikes, given = _counts(counts), whole_labels(neuron_labels)
    if given.size != spikes.shape[1]:
        raise RunError(f"{given.size} labels for {spikes.shape[1]} neurons; give what label_neurons returned")
    told = spikes * (given != NO_LABEL)
    if not given.size:
        return np.full(len(spikes), NO_LABEL)
    best = told.argmax(axis=1)
    return np.where(told.max(axis=1) > 0, given[best], NO_LABEL)


def _counts(counts: ArrayLike) -> Ints:
    spikes = np.asarray(counts, np.int64)
    if spikes.ndim != 2:
        raise RunError(f"spike counts have shape {spikes.shape}; give (samples, neurons), as Run.spike_counts does")
    return spikes

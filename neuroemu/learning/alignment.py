"""How a rule's update and its feedback lie to the gradient: weights as matrices, angles, cosines, and the update itself.

A cosine of 1 is the same direction, 0 none in common; an angle is its arc cosine in degrees. The gradients to compare with are
those of neuroemu.golden, which knows no image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Floats, Ints
from neuroemu.base.errors import RunError
from neuroemu.base.shelf import unknown
from neuroemu.engines.run import run
from neuroemu.image.image import Image, ImageProjection
from neuroemu.image.memory import Memory, check_memory
from neuroemu.learning.golden.closed_form import SpikeTimes, spikes_of
from neuroemu.network.stimulus import Stimulus


def projection_of(image: Image, name: str) -> ImageProjection:
    """A projection by its name. Raises UnknownNameError."""
    for projection in image.projections:
        if projection.name == name:
            return projection
    raise unknown("projection", name, [projection.name for projection in image.projections])


def endpoints(projection: ImageProjection) -> tuple[Ints, Ints]:
    """Pre and post neuron of every synapse, in the order of their ids, as Memory and Run have weights: each (n_synapses,)."""
    order = np.argsort(np.concatenate([part.ids for part in projection.parts]), kind="stable")
    pre = np.concatenate([part.pre for part in projection.parts])
    post = np.concatenate([part.post for part in projection.parts])
    return pre[order].astype(np.int64), post[order].astype(np.int64)


def weights_of(image: Image, name: str, memory: Memory | None = None) -> Ints:
    """A projection's weights in the order of their ids, (n_synapses,): the memory's if it has them, else the image's."""
    projection = projection_of(image, name)
    if memory is not None and name in memory.weights:
        return memory.weights[name]
    order = np.argsort(np.concatenate([part.ids for part in projection.parts]), kind="stable")
    return np.concatenate([part.weight for part in projection.parts])[order].astype(np.int64)


def matrix(image: Image, name: str, values: ArrayLike) -> Floats:
    """Values of a projection's synapses, (n_synapses,), as (n_pre, n_post); 0 where there is no synapse, sums where several are."""
    projection = projection_of(image, name)
    dense = np.zeros((image.populations[projection.pre].n, image.populations[projection.post].n))
    np.add.at(dense, endpoints(projection), np.asarray(values, np.float64))
    return dense


def cosine(one: ArrayLike, other: ArrayLike) -> float:
    """Cosine between two arrays of one shape, -1..1; nan if one of them is all 0. Raises RunError if the shapes differ."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if a.shape != b.shape:
        raise RunError(f"arrays of shape {a.shape} and {b.shape} have no angle; give two of one shape")
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip((a * b).sum() / length, -1.0, 1.0)) if length else float("nan")


def degrees(one: ArrayLike, other: ArrayLike) -> float:
    """Angle between two arrays of one shape in degrees, 0..180; nan if one of them is all 0. Raises RunError.

    Twice the arc tangent of |u - v| / |u + v| with u, v the arrays at length 1 (Kahan 2006): exactly 0 for equal arrays, where
    the arc cosine would lose half the digits.
    """
    if np.isnan(cosine(one, other)):
        return float("nan")
    u, v = (np.asarray(x, np.float64) / np.linalg.norm(np.asarray(x, np.float64)) for x in (one, other))
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))))


def angle(image: Image, memory: Memory | None = None, *, feedback: str, forward: str | Sequence[str]) -> float:
    """Degrees between a projection of feedback and the forward weights it stands for, transposed; nan if either is all 0.

    ``forward`` is one projection or, for feedback past several layers, those from its target to its source in order: their
    matrices are multiplied. 0 is weight transport, 90 what random feedback has on average. Weights are the memory's where it
    has them, else the image's. Raises UnknownNameError, and RunError if the two do not join the same populations.
    """
    if memory is not None:
        check_memory(image, memory)
    chain = [forward] if isinstance(forward, str) else list(forward)
    back, way = projection_of(image, feedback), [projection_of(image, name) for name in chain]
    ends = [back.post, *(projection.post for projection in way)]
    if not way or ends[-1] != back.pre or [projection.pre for projection in way] != ends[:-1]:
        names = [image.populations[k].name for k in (back.post, back.pre)]
        raise RunError(
            f"projections {', '.join(chain) or 'none'} do not lead from '{names[0]}' to '{names[1]}', where '{feedback}' "
            "comes back; name the forward projections between them in order"
        )
    product = reduce(np.matmul, (matrix(image, name, weights_of(image, name, memory)) for name in chain))
    return degrees(matrix(image, feedback, weights_of(image, feedback, memory)), product.T)


def update(
    image: Image, stimulus: Stimulus, memory: Memory | None = None, *, engine: str = "cpu", seed: int = 0
) -> dict[str, Floats]:
    """What one commit after all presentations of the stimulus changes: weights (n_pre, n_post) of every projection that learns.

    The presentations see the same weights, so this is the batch's update, rounded once, in units of the weights' last bit. The
    more presentations the less of it is rounding. The stimulus carries the labels (Stimulus.values). Nothing is kept.
    """
    before = memory or Memory()
    done = run(
        image, stimulus, engine=engine, plastic=True, commit_every=stimulus.n, seed=seed, start=before, workers=1
    )
    return {
        name: matrix(image, name, after - weights_of(image, name, before))
        for name, after in done.memory.weights.items()
    }


def labelled(stimulus: Stimulus, population: str, labels: ArrayLike, n: int) -> Stimulus:
    """The stimulus that tells an output which neuron is right: 1 for the label's, 0 for the other of ``n``."""
    right = (np.asarray(labels, np.int64)[:, None] == np.arange(n)).astype(np.int64)
    return replace(stimulus, values={**stimulus.values, population: right})


def input_spikes(stimulus: Stimulus, name: str, presentation: int) -> SpikeTimes:
    """Packets of a host input in one presentation as the closed form's spikes, with rows as times: a golden Neuron's tau is in ticks."""
    events = stimulus.events[name]
    ends = events.indptr[presentation]
    time = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    return spikes_of(time.astype(np.float64), events.neuron[ends[0] : ends[-1]].astype(np.int64))


def gradient_cosines(
    image: Image,
    stimulus: Stimulus,
    gradients: Mapping[str, ArrayLike],
    memory: Memory | None = None,
    *,
    engine: str = "cpu",
    seed: int = 0,
) -> dict[str, float]:
    """Mean cosine between what one presentation changes and the descent of a loss, by projection: 1 is back-propagation.

    ``gradients``: dL/dW of every presentation, (n, n_pre, n_post) by projection, of the same network in float. Every presentation
    starts from ``memory`` and its update is taken alone: a mean over a batch would be that of its few steepest samples. One that
    changes nothing, or has no gradient, has no direction and is left out; nan if all are.
    """
    found: dict[str, list[float]] = {name: [] for name in gradients}
    for k in range(stimulus.n):
        moved = update(image, stimulus.slice(k, k + 1), memory, engine=engine, seed=seed)
        for name, values in found.items():
            values.append(cosine(moved[name], -np.asarray(gradients[name])[k]))
    means = {name: np.array(values)[~np.isnan(values)] for name, values in found.items()}
    return {name: float(values.mean()) if values.size else float("nan") for name, values in means.items()}

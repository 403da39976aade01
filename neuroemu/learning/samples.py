"""What a training is given, made plain: samples and labels, how they become packets, and where the answer is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.image.image import Image
from neuroemu.learning.dataset import Dataset
from neuroemu.learning.encoders import Setting, named_encoder
from neuroemu.network.answers import whole_labels
from neuroemu.network.stimulus import Stimulus
from neuroemu.results.run import Run

Encode = Callable[[Any, int], Stimulus]
"""Values of presentations, shape (n, features...), and the number of the first one: their input."""
Samples = Dataset | tuple[ArrayLike, ArrayLike]
"""A Dataset, or (inputs, labels) of shapes (n, features...) and (n,)."""
Readout = str | tuple[str, str]
"""``vote``, a probed register of the output, or (population, register)."""
VOTE = "vote"


@dataclass(frozen=True, eq=False)
class Plain:
    """Inputs of shape (n, features...), labels of shape (n,), and the value of a full pixel (None if nobody said)."""

    inputs: Any
    labels: Ints
    top: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of both, as hexadecimal digits."""
        sha = hashlib.sha256(f"{self.inputs.shape} {self.inputs.dtype.str}".encode())
        for array in (self.inputs, self.labels):
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


def plain(samples: Samples) -> Plain:
    """The samples as arrays. Raises RunError unless there is one label for each, a whole number, and one at least."""
    if isinstance(samples, Dataset):
        return Plain(samples.inputs, samples.labels, samples.top)
    if not isinstance(samples, tuple | list) or len(samples) != 2 or any(isinstance(s, Dataset) for s in samples):
        raise RunError(
            "the samples are neither a Dataset nor a pair (inputs, labels); give one, such as the first of ne.load_dataset('digits')"
        )
    inputs, labels = np.asarray(samples[0]), whole_labels(samples[1])
    if len(inputs) != labels.size or not labels.size:
        raise RunError(f"{labels.size} labels for {len(inputs)} samples; give one a sample, and at least one sample")
    return Plain(inputs, labels)


# ---- encoding
def encoder(
    image: Image,
    samples: Plain,
    encode: Encode | str | None = None,
    *,
    ticks: int | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    vote: bool = False,
) -> Encode:
    """How samples become packets: the caller's own function, or a shipped encoder by name with what suits image and samples.

    By default ``graded`` where the input's payloads count, else ``rate`` for a vote, else ``ttfs``. ``ticks`` are the rows of a
    presentation: what the phases leave beyond the lag. ``ttfs`` puts its packets into their first half, as its authors do (the rest
    is for the layers behind), unless ``options`` give a ``window``; ``graded`` shifts a full pixel down to 5 bits, unless they give
    a ``shift``. Raises UnknownNameError, RunError.
    """
    if callable(encode):
        return encode
    hosts = [population.name for population in image.populations if population.is_host]
    if len(hosts) != 1:
        raise RunError(
            f"the network has {len(hosts)} host inputs, an encoder feeds one; train it from Python, with "
            "encode=function(values, first) that returns a Stimulus"
        )
    name = encode or ("graded" if _graded(image) else "rate" if vote else "ttfs")
    top = samples.top if samples.top is not None else max(1, int(np.max(samples.inputs)))
    setting = Setting(_rows(image) if ticks is None else ticks, top, seed)
    return named_encoder(name, hosts[0], setting, options or {})


def _graded(image: Image) -> bool:
    """Whether the host's payloads multiply weights."""
    modes = [mode for p in image.projections for _, mode in p.routes.get("input", ())]
    return "weight*payload" in modes


def _rows(image: Image) -> int:
    """Rows that come through to the output within the phases of inference; one, where they wait for quiet and payloads count."""
    inference = [phase for phase in image.phases if not phase.learning]
    if inference and inference[0].until_quiet and _graded(image):
        return 1
    rows = sum(phase.ticks for phase in inference) - image.lag
    if rows < 1 or any(phase.until_quiet for phase in inference):
        raise RunError(
            "the network has no phases that say how many ticks an input lasts; give ticks=N (in a plan: data.ticks)"
        )
    return rows


# ---- reading out
def output_of(image: Image, output: str | None) -> str:
    """The population that answers: the one that is named, or the image's only output. Raises UnknownNameError, RunError."""
    names = [image.populations[number].name for number in image.outputs]
    if output is not None:
        return image.population(output).name
    if len(names) != 1:
        raise RunError(
            f"the network has {len(names)} outputs ({', '.join(names) or 'none'}); say which with output=name"
        )
    return names[0]


def readout_of(image: Image, output: str, readout: Readout | None) -> tuple[str, str] | Literal["vote"]:
    """Where the answer is read: ``vote``, or a probed register as (population, register).

    By default the output's only probed register, or the vote if the host tells the output no labels. Raises RunError.
    """
    probed = [(image.populations[number].name, register) for number, register in image.probes]
    mine = [register for name, register in probed if name == output]
    if readout is None:
        if len(mine) != 1 and has_modulator(image, output):
            raise RunError(
                f"population '{output}' has {len(mine)} probed registers ({', '.join(mine) or 'none'}); say which holds the answer "
                "with readout=register (in a plan: training.readout)"
            )
        return (output, mine[0]) if len(mine) == 1 else "vote"
    if readout == VOTE:
        return "vote"
    population, register = (output, readout) if isinstance(readout, str) else readout
    if (population, register) not in probed:
        raise RunError(
            f"register '{register}' of population '{population}' is not probed; add it to the network's probes"
        )
    return population, register


def has_modulator(image: Image, population: str) -> bool:
    """Whether the host tells the population something in every presentation it learns from."""
    return any(modulator.population == population for modulator in image.modulators)


def answers(done: Run, readout: tuple[str, str]) -> Ints:
    """The neuron of every presentation with the largest register at its end, ties to the lowest, shape (presentations,)."""
    return np.asarray(done.probes[readout][:, -1].argmax(axis=1), np.int64)

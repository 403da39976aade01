"""What a training is given, made plain: samples and labels, how they become packets, and where the answer is read."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.base.shelf import unknown
from neuroemu.image.image import Image
from neuroemu.learning import encode as encoders
from neuroemu.learning.dataset import Dataset
from neuroemu.network.stimulus import Stimulus
from neuroemu.results.run import Run

Encode = Callable[[Any, int], Stimulus]
"""Values of presentations, shape (n, features...), and the number of the first one: their input."""
Samples = Dataset | tuple[ArrayLike, ArrayLike]
"""A Dataset, or (inputs, labels) of shapes (n, features...) and (n,)."""
Readout = str | tuple[str, str]
"""``vote``, a probed register of the output, or (population, register)."""
ENCODERS = ("ttfs", "rate", "graded")
_WHOLE: tuple[tuple[type, ...], str] = ((int,), "a whole number")
_OPTIONS: dict[str, tuple[tuple[type, ...], str]] = {
    "window": _WHOLE,
    "top": _WHOLE,
    "seed": _WHOLE,
    "shift": _WHOLE,
    "peak": ((int, float), "a number"),
    "once": ((bool,), "true or false"),
    "name": ((str,), "the name of a host input"),
}
VOTE = "vote"
GRADED_BITS = 5
"""Of a full pixel's payload: what digits have, for which SpikeGrad's options are."""


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
    """The samples as arrays. Raises RunError unless there is one label for each, and one at least."""
    if isinstance(samples, Dataset):
        return Plain(samples.inputs, samples.labels, samples.top)
    if not isinstance(samples, tuple | list) or len(samples) != 2 or any(isinstance(s, Dataset) for s in samples):
        raise RunError(
            "the samples are neither a Dataset nor a pair (inputs, labels); give one, such as the first of ne.load_dataset('digits')"
        )
    inputs, labels = np.asarray(samples[0]), np.asarray(samples[1], np.int64).ravel()
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
    if name not in ENCODERS:
        raise unknown("encoder", name, ENCODERS)
    rows = _rows(image) if ticks is None else ticks
    top = samples.top if samples.top is not None else max(1, int(np.max(samples.inputs)))
    given: dict[str, Any] = {
        "ttfs": {"top": top, "window": max(1, rows // 2)},
        "rate": {"top": top, "seed": seed},
        "graded": {"shift": max(0, top.bit_length() - GRADED_BITS)},
    }[name]
    return Encoder(name, {"ticks": rows, "name": hosts[0], **given, **_checked(name, options or {})})


@dataclass(frozen=True)
class Encoder:
    """A shipped encoder with everything given but the values and the number of the first presentation."""

    name: str
    given: dict[str, Any]

    def __call__(self, values: Any, first: int) -> Stimulus:
        encoded: Stimulus = getattr(encoders, self.name)(values, first=first, **self.given)
        return encoded


def _checked(encoder: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options of an encoder that it takes, of the kinds it takes them."""
    accepted = [name for name in inspect.signature(getattr(encoders, encoder)).parameters if name in _OPTIONS]
    for name, value in options.items():
        if name not in accepted:
            raise unknown(f"option of encoder '{encoder}'", name, accepted)
        kinds, what = _OPTIONS[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise RunError(f"option {name} of encoder '{encoder}' is {value!r}; give {what}")
    return options


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
        if len(mine) != 1 and told(image, output):
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


def told(image: Image, population: str) -> bool:
    """Whether the host tells the population something in every presentation it learns from."""
    return any(modulator.population == population for modulator in image.modulators)


def answers(done: Run, readout: tuple[str, str]) -> Ints:
    """The neuron of every presentation with the largest register at its end, ties to the lowest, shape (presentations,)."""
    return np.asarray(done.probes[readout][:, -1].argmax(axis=1), np.int64)

"""Events into the chip: which host input sends which payload at which row of which presentation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import StimulusError
from neuroemu.network.integers import integer

PAYLOAD_LIMIT = 1 << 31
Dense = NDArray[Any]
"""Integers or bools of at most 32 bits, shape (rows, presentations, neurons)."""
MOST_PRESENTATIONS = 1 << 62


def check_first(first: int) -> None:
    """Refuse a presentation's number that random numbers cannot be made from. Raises StimulusError."""
    if not 0 <= first <= MOST_PRESENTATIONS:
        raise StimulusError(f"first is {first}; presentations are numbered from 0 to 2**62")


@dataclass(frozen=True, eq=False)
class Events:
    """One host input's packets, by presentation and row: those of row t of presentation b are ``[indptr[b, t]:indptr[b, t+1]]``.

    ``indptr`` has shape (presentations, rows + 1); ``neuron`` ascends within a row, and may name one twice. Raises StimulusError for
    anything else: engines read it without looking.
    """

    indptr: Ints
    neuron: NDArray[np.int32]
    payload: NDArray[np.int32]

    def __post_init__(self) -> None:
        indptr, neuron = self.indptr, self.neuron
        if indptr.ndim != 2 or indptr.shape[1] < 2 or indptr.dtype.kind not in "iu":
            raise StimulusError(
                f"the events' indptr has shape {indptr.shape} and dtype {indptr.dtype}; give integers of shape (presentations, rows + 1)"
            )
        if (
            neuron.ndim != 1
            or neuron.shape != self.payload.shape
            or {neuron.dtype, self.payload.dtype} != {np.dtype(np.int32)}
        ):
            raise StimulusError(
                f"the events have neurons of shape {neuron.shape} and dtype {neuron.dtype}, payloads of shape {self.payload.shape} and "
                f"dtype {self.payload.dtype}; give two int32 arrays of one length"
            )
        self._check_rows()

    def _check_rows(self) -> None:
        n, indptr, neuron = self.neuron.size, self.indptr, self.neuron
        ends = indptr[:-1, -1] != indptr[1:, 0]
        if (n and not indptr.size) or (indptr.size and (indptr.flat[0] != 0 or indptr.flat[-1] != n or ends.any())):
            raise StimulusError(
                f"the events' indptr does not count the {n} packets from 0 to {n}, every presentation from where the one before it ended; "
                "count the packets of each row"
            )
        if np.any(indptr[:, 1:] < indptr[:, :-1]):
            raise StimulusError(
                "the events' indptr descends; sort the packets by presentation and row, then count those of each row"
            )
        if n and int(neuron.min()) < 0:
            raise StimulusError(f"an event names neuron {neuron.min()}; neurons are numbered from 0")
        begins = np.zeros(n + 1, bool)
        begins[indptr] = True
        lower = (neuron[1:] < neuron[:-1]) & ~begins[1:n]
        if lower.any():
            k = int(lower.argmax()) + 1
            presentation, row = (int(place[k]) for place in self.places())
            raise StimulusError(
                f"an event names neuron {neuron[k]} after neuron {neuron[k - 1]} in row {row} of presentation {presentation}; "
                "sort the packets of a row by neuron"
            )

    def __repr__(self) -> str:
        return f"Events({self.neuron.size} packets, {self.indptr.shape[0]} presentations of {self.indptr.shape[1] - 1} rows)"

    def places(self) -> tuple[Ints, Ints]:
        """Presentation and row of every packet, shape (packets,) each."""
        n, rows = self.indptr.shape[0], self.indptr.shape[1] - 1
        each = np.repeat(np.arange(n * rows), np.diff(self.indptr, axis=1).ravel())
        presentation, row = np.divmod(each, rows)
        return presentation, row


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Input of ``n`` presentations of ``rows`` rows each.

    ``values`` holds what modulators say, one row of shape (n_neurons,) a presentation; ``first`` is the number of the first
    presentation, which random numbers depend on, from 0. Raises StimulusError for events of another number of presentations or rows.
    """

    rows: int
    n: int
    events: Mapping[str, Events]
    values: Mapping[str, Ints] = field(default_factory=dict)
    first: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "n", "first"):
            object.__setattr__(self, name, integer(getattr(self, name), f"stimulus: {name}", StimulusError))
        check_first(self.first)
        if self.rows < 1 or self.n < 0:
            raise StimulusError(f"a stimulus has {self.n} presentations of {self.rows} rows; give at least one row")
        for name, part in self.events.items():
            n, rows = part.indptr.shape[0], part.indptr.shape[1] - 1
            if (n, rows) != (self.n, self.rows):
                raise StimulusError(
                    f"input '{name}' has events of {n} presentations of {rows} rows, the stimulus {self.n} of {self.rows}; give the same"
                )

    def __repr__(self) -> str:
        packets = "".join(f", {part.neuron.size} packets of '{name}'" for name, part in list(self.events.items())[:8])
        return f"Stimulus({self.n} presentations of {self.rows} rows{packets})"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the packets, as hexadecimal digits."""
        sha = hashlib.sha256(f"{self.rows} {self.n} {self.first}".encode())
        for name, events in sorted(self.events.items()):
            sha.update(name.encode())
            for array in (events.indptr, events.neuron, events.payload):
                sha.update(np.ascontiguousarray(array).tobytes())
        for name, values in sorted(self.values.items()):
            sha.update(name.encode() + np.ascontiguousarray(values).tobytes())
        return sha.hexdigest()

    def slice(self, low: int, high: int) -> Stimulus:
        """Presentations low to high - 1, with their numbers."""
        events = {}
        for name, part in self.events.items():
            indptr = part.indptr[low:high]
            start, stop = (int(indptr[0, 0]), int(indptr[-1, -1])) if high > low else (0, 0)
            events[name] = Events(indptr - start, part.neuron[start:stop], part.payload[start:stop])
        values = {name: array[low:high] for name, array in self.values.items()}
        return Stimulus(self.rows, high - low, events, values, self.first + low)


def no_ticks_beside(ticks: int | None) -> None:
    """Refuse a number of ticks where input is given. Raises StimulusError."""
    if ticks is not None:
        raise StimulusError(f"ticks is {ticks} beside an input, whose rows say how long it lasts; give one of them")


def silence(ticks: int | None, hosts: Iterable[str]) -> Stimulus:
    """Input of one presentation in which the host, whose inputs are named, sends nothing for so many rows. Raises StimulusError."""
    if ticks is None:
        raise no_input(hosts)
    if ticks < 1:
        raise StimulusError(f"ticks is {ticks}; run at least 1")
    return Stimulus(ticks, 1, {})


def no_input(hosts: Iterable[str]) -> StimulusError:
    """The error of a network, with host inputs of these names, that is given neither input nor ticks."""
    names = ", ".join(hosts)
    if not names:
        return StimulusError("no input is given and the network has no host inputs; give ticks=N to run it for N ticks")
    return StimulusError(f"no input is given; give it for {names}, or ticks=N to run N ticks without")


def stimulus(
    inputs: ArrayLike | Mapping[str, ArrayLike],
    sizes: Mapping[str, int],
    *,
    values: Mapping[str, ArrayLike] | None = None,
    first: int = 0,
) -> Stimulus:
    """Events from dense arrays of shape (rows, neurons...) or (rows, presentations, neurons...), one for each host input (the bare
    array if there is one).

    A non-zero entry is a packet with that payload. ``sizes`` gives the neurons of every host input; an input that is not
    named stays silent. Raises StimulusError for shapes that do not fit and for values that are not 32-bit integers.
    """
    dense = dense_inputs(inputs, sizes)
    rows, n = next(iter(dense.values())).shape[:2]
    events = {name: _events(array) for name, array in dense.items()}
    return with_values(Stimulus(rows, n, events, first=first), values or {})


def with_values(events: Stimulus, values: Mapping[str, ArrayLike]) -> Stimulus:
    """The stimulus with what modulators say, integers of shape (presentations, neurons) by population. Raises StimulusError."""
    told = {
        name: _modulation(name, _array("values for population", name, value), events.n)
        for name, value in values.items()
    }
    return Stimulus(events.rows, events.n, events.events, told, events.first)


def dense_inputs(inputs: ArrayLike | Mapping[str, ArrayLike], sizes: Mapping[str, int]) -> dict[str, Dense]:
    """Checked inputs as integers of shape (rows, presentations, neurons); one array alone is for the only host input.

    Integers of up to 32 bits stay as they are: as int64 an input of bytes would take eight times the memory.
    """
    if not sizes:
        raise StimulusError("the network has no host inputs, so it takes no input; run it with ticks=N instead")
    if not isinstance(inputs, Mapping):
        if len(sizes) != 1:
            raise StimulusError(
                f"the network has {len(sizes)} host inputs ({', '.join(sizes)}); give a dictionary of arrays, or a file of several"
            )
        inputs = {next(iter(sizes)): inputs}
    dense: dict[str, Dense] = {}
    for name, value in inputs.items():
        if name not in sizes:
            raise StimulusError(
                f"input names '{name}', the network's host inputs are: {', '.join(sizes)}; name one of them"
            )
        dense[name] = array = _dense(name, _array("input", name, value), sizes[name])
        first = next(iter(dense.values()))
        if array.shape[:2] != first.shape[:2]:
            raise StimulusError(
                f"input '{name}' has {array.shape[0]} rows and {array.shape[1]} presentations, another has {first.shape[0]} and "
                f"{first.shape[1]}; give all the same"
            )
    if not dense:
        raise no_input(sizes)
    return dense


def _array(what: str, name: str, value: ArrayLike) -> NDArray[np.generic]:
    try:
        return np.asarray(value)
    except ValueError:
        raise StimulusError(f"{what} '{name}': lists of unequal length; give an array") from None


def _dense(name: str, array: NDArray[np.generic], size: int) -> Dense:
    """The array as integers of shape (rows, presentations, neurons)."""
    if array.dtype.kind not in "biuf":
        raise StimulusError(f"input '{name}' has dtype {array.dtype}; give integers")
    shape = array.shape
    if array.ndim >= 2 and math.prod(array.shape[1:]) == size:
        array = array.reshape(array.shape[0], 1, size)
    elif array.ndim >= 3 and math.prod(array.shape[2:]) == size:
        array = array.reshape(array.shape[0], array.shape[1], size)
    else:
        raise StimulusError(
            f"input '{name}' has shape {array.shape}, its population has {size} neurons; "
            "give (rows, neurons) or (rows, presentations, neurons)"
        )
    if array.shape[0] < 1 or array.shape[1] < 1:
        raise StimulusError(f"input '{name}' has shape {shape}; give at least one row and one presentation")
    if array.dtype.kind == "f":
        wrong = array != np.rint(array)  # NaN is unequal to itself
        if np.any(wrong):
            row, sample, neuron = (int(index[0]) for index in np.nonzero(wrong))
            raise StimulusError(
                f"input '{name}' holds {array[row, sample, neuron]:g} at row {row}, presentation {sample}, neuron {neuron}; "
                "packets carry integers: encode it as spikes, or scale and round it"
            )
    if array.size and (float(array.max()) >= PAYLOAD_LIMIT or float(array.min()) < -PAYLOAD_LIMIT):
        raise StimulusError(
            f"input '{name}' holds {array.max() if array.max() >= PAYLOAD_LIMIT else array.min()}; a payload has 32 bits"
        )
    narrow: Dense = array if array.dtype.itemsize <= 4 and array.dtype.kind in "biu" else array.astype(np.int32)
    return narrow


def _events(dense: Dense) -> Events:
    rows, n, _ = dense.shape
    by_presentation = dense.transpose(1, 0, 2)
    sample, row, neuron = np.nonzero(by_presentation)
    return listed(sample * rows + row, neuron, by_presentation[sample, row, neuron], rows, n)


def listed(place: Ints, neuron: NDArray[np.integer], payload: NDArray[np.integer], rows: int, n: int) -> Events:
    """Packets as Events of ``n`` presentations of ``rows`` rows.

    ``place`` (packets,) is presentation * rows + row of every packet, ascending, and neurons ascend within a place.
    """
    starts = np.searchsorted(place, np.arange(n * rows + 1))
    indptr = np.empty((n, rows + 1), np.int64)
    indptr[:, :-1] = starts[:-1].reshape(n, rows)
    indptr[:, -1] = starts[rows::rows]
    return Events(indptr, neuron.astype(np.int32), payload.astype(np.int32))


def _modulation(name: str, array: NDArray[np.generic], n: int) -> Ints:
    if array.ndim != 2 or array.shape[0] != n or array.dtype.kind not in "biu":
        raise StimulusError(
            f"values for population '{name}' have shape {array.shape} and dtype {array.dtype}; give integers of shape ({n}, neurons)"
        )
    return array.astype(np.int64)

"""Events at a crossbar that visit a whole row: who causes them beside the packets that a core takes in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroemu.image.image import Image
from neuroemu.image.parts import ImagePopulation, own_axons


def silent_rows(image: Image) -> dict[tuple[int, str], NDArray[np.bool_]]:
    """Neurons whose sends visit their own row though no packet comes back to their core, by population and channel, shape (n,).

    Where neurons have rows of their own (``own_rows``) and a core hears any of its neurons, it hears them all: a neuron without
    synapses there has a row of zeros.
    """
    if not image.chip.has_own_rows:
        return {}
    closed = list(own_axons(image.populations, image.routing))
    found = {}
    for number, population in enumerate(image.populations):
        program = image.program_of(population)
        for channel in program.channels if program else ():
            silent = np.isin(population.core_of, closed) & ~_heard(image, number, population, channel)
            if silent.any():
                found[number, channel] = silent
    return found


def _heard(image: Image, number: int, population: ImagePopulation, channel: str) -> NDArray[np.bool_]:
    """Which neurons send to their own core on a channel."""
    heard = np.zeros(population.n, bool)
    if (number, channel) in image.routing.entries:
        indptr, axons = image.routing.entries[number, channel]
        sender = np.repeat(np.arange(population.n), np.diff(indptr))
        heard[sender[image.routing.axon_core[axons] == population.core_of[sender]]] = True
    return heard


def timed_cores(image: Image) -> dict[int, str]:
    """Cores in which every tick is a time reference, an event of its own, and the first population there that has it so."""
    timed = image.chip.sheet.core.programs.timed
    found: dict[int, str] = {}
    for population in image.populations:
        if population.program in timed:
            for piece in population.slices:
                found.setdefault(piece.core, population.name)
    return found

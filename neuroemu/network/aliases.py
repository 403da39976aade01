"""Aliases of programs in a network: the one place where they become the programs and switches they stand for."""

from __future__ import annotations

from dataclasses import replace

from neuroemu.language.program import own_name
from neuroemu.network.network import Firmware, Network, Population, Projection


def without_aliases(network: Network) -> Network:
    """The network with every program under its own name: ``stdp.nearest`` is ``stdp.synapse`` with switch nearest=1.

    Everything after it (features, proofs, the image, engines) knows programs and switches only. Raises UnknownNameError, FileError,
    and FirmwareError for switches that contradict the alias.
    """
    populations = tuple(_population(population) for population in network.populations)
    projections = tuple(_projection(projection) for projection in network.projections)
    return replace(network, populations=populations, projections=projections)


def _population(population: Population) -> Population:
    neuron = population.neuron
    if not isinstance(neuron, Firmware):
        return population
    name, switches = own_name(neuron.program, neuron.switches)
    return population if name == neuron.program else replace(population, neuron=Firmware(name, neuron.params, switches))


def _projection(projection: Projection) -> Projection:
    if projection.rule is None:
        return projection
    name, switches = own_name(projection.rule, projection.switches)
    return projection if name == projection.rule else replace(projection, rule=name, switches=switches)

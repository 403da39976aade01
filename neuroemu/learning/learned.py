"""What an image has learned, back in the float network it was compiled from: for NIR, and for every other tool that takes floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuroemu.base.arrays import Floats
from neuroemu.base.errors import FirmwareError, NetworkError, NeuroemuError
from neuroemu.base.shelf import find_program
from neuroemu.image.image import Image, ImageProjection
from neuroemu.language.program import own_name
from neuroemu.learning.alignment import weights_of
from neuroemu.network.conventions import by_present_names
from neuroemu.network.discrete import discretize
from neuroemu.network.host_code import host_function
from neuroemu.network.network import FLOAT_MODELS, Firmware, HostInput, Network, Neuron, Population, Projection, Sparse
from neuroemu.network.synapses import synapses


def learned(network: Network, image: Image) -> Network:
    """The float network with the weights of an image, such as Training.image. ``network`` is the one the image was compiled from.

    A population that is a float model stays one, and learned weights come back in its units, divided by what the quantiser
    multiplied them with. A population that runs a program of a rule file becomes what the file's ``as_float(program, params, dt)``
    says, which is run for it (RuleCodeWarning): a float model, the unit of its weights, and the conventions it needs. Weights that
    no rule changed stay the network's. Only projections that carry spikes or input come along: feedback, errors, rules, phases
    and probes stay on the chip.

    Raises NetworkError for neurons that no float model describes, and for an image of another network; FirmwareError.
    """
    _same(network, image)
    models = {population.name: _model(population, network, image) for population in network.populations}
    conventions = network.conventions
    for model in models.values():
        conventions = replace(conventions, **model.conventions)
    projections = []
    for projection, built in zip(network.projections, image.projections, strict=True):
        if any(built.routes.get(channel) for channel in ("spike", "input")):
            projections.append(_projection(network, projection, image, built, models[projection.post].unit))
    populations = tuple(
        replace(population, neuron=models[population.name].neuron, compete={}, groups=None)
        for population in network.populations
    )
    return Network(populations, tuple(projections), network.outputs, (), conventions)


@dataclass(frozen=True, eq=False)
class _Model:
    neuron: Neuron
    unit: Floats
    """What a stored weight of 1 into each neuron is in float, shape (n,)."""
    conventions: Mapping[str, Any]


def _same(network: Network, image: Image) -> None:
    mine = [p.name for p in network.populations], [p.label for p in network.projections]
    if mine != ([p.name for p in image.populations], [p.name for p in image.projections]):
        raise NetworkError(
            "the image has other populations or projections than the network; give the network it was compiled from, rule wired"
        )


def _model(population: Population, network: Network, image: Image) -> _Model:
    neuron = population.neuron
    if isinstance(neuron, HostInput):
        return _Model(neuron, np.ones(population.n), {})
    if not isinstance(neuron, Firmware):
        assert type(neuron) in FLOAT_MODELS
        loss = next(loss for loss in image.losses if loss.node == population.name)
        return _Model(neuron, loss.unit / (loss.scale * discretize(population, network).gain), {})
    path, member = find_program(own_name(neuron.program, neuron.switches)[0])
    function = host_function(path, "as_float")
    if function is None or population.compete:
        raise NetworkError(
            f"population '{population.name}' runs program '{neuron.program}' in register units, which no float model describes: NIR "
            "cannot hold it; save the trained image instead"
        )
    try:
        found = function(member, image.population(population.name).params, network.conventions.dt)
    except NeuroemuError:
        raise
    except Exception as error:
        raise FirmwareError(f"{path}: as_float failed ({type(error).__name__}: {error}); correct the file") from None
    try:
        model, unit, stated = found
        conventions = by_present_names(stated)
        replace(network.conventions, **conventions)
        return _Model(model, np.full(population.n, float(unit)), conventions)
    except (TypeError, ValueError, AttributeError):
        raise FirmwareError(
            f"{path}: as_float returned {found!r}; return (neuron, unit of its weights, conventions)"
        ) from None


def _projection(
    network: Network, projection: Projection, image: Image, built: ImageProjection, unit: Floats
) -> Projection:
    pre, post, weight, delay = synapses(
        projection, network.population(projection.pre).n, network.population(projection.post).n
    )
    firmware = isinstance(network.population(projection.post).neuron, Firmware)
    if built.program is not None:
        stored = weights_of(image, built.name)
        weight = stored / (1 << (built.view[0] if built.view else 0)) * unit[post]
    elif firmware:
        weight = weight * unit[post]
    return Projection(projection.pre, projection.post, Sparse(pre, post, weight, delay), projection.label)

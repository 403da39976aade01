"""What ``wire`` functions of rules are made of: chains of layers, drawn weights, mirrored projections, and a network with all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.errors import NetworkError
from neuroemu.network.network import HostInput, Network, Population, Projection, Sparse


def layers(
    network: Network, projections: Sequence[str], output: str | None = None, *, delays: bool = True
) -> list[Projection]:
    """The projections of these labels, in order from the input on: the layers of a feed-forward network.

    ``output`` is the population they must end at, if given; ``delays=False`` refuses projections with delays, for rules whose
    phases need all packets of a layer in one tick. Raises NetworkError unless they form one such chain from a host input.
    """
    left = {network.projection(label).pre: label for label in projections}
    hosts = [p.name for p in network.populations if isinstance(p.neuron, HostInput)]
    order: list[Projection] = []
    at = next((name for name in hosts if name in left), None)
    while at in left:
        order.append(network.projection(left.pop(at)))
        at = order[-1].post
    if left or not order or not len(order) == len(projections) == len({projection.post for projection in order}):
        raise NetworkError(
            f"projections {', '.join(projections) or 'none'} do not form one chain from an input; name the layers of a feed-forward network"
        )
    if output is not None and output != at:
        raise NetworkError(f"the layers end at population '{at}', the output is '{output}'; make it '{at}'")
    for projection in order if not delays else ():
        lists = projection.weight if isinstance(projection.weight, Sparse) else None
        ticks = projection.delay if lists is None or lists.delay is None else lists.delay
        if np.any(np.asarray(ticks)):
            raise NetworkError(
                f"projection '{projection.label}' has delays; a layer's counts come in one tick, use none"
            )
    return order


def drawn(network: Network, projection: Projection, draw: Callable[[tuple[int, ...]], ArrayLike]) -> Projection:
    """The projection with weights drawn anew on the synapses it has; its delays stay.

    ``draw(shape)`` returns the weights, in register units: of a matrix for shape (n_pre, n_post), of lists for shape
    (n_synapses,), in their order. Raises NetworkError for lists whose synapses share kernel entries, which rules untie.
    """
    lists = projection.weight
    if not isinstance(lists, Sparse):
        shape = (network.population(projection.pre).n, network.population(projection.post).n)
        return replace(projection, weight=np.asarray(draw(shape)))
    if lists.shared is not None:
        raise NetworkError(
            f"projection '{projection.label}' shares kernel entries, and this rule draws a weight a synapse; "
            "give lists without shared, or keep a convolution out of the layers that learn"
        )
    return replace(projection, weight=replace(lists, weight=np.asarray(draw((np.size(lists.weight),)))))


def mirrored(projection: Projection, name: str = "", **changes: Any) -> Projection:
    """The same synapses seen from the other end, by which errors go back: ``weight`` transposed, from ``post`` to ``pre``.

    ``name`` defaults to the projection's label and ``.back``; the view of the weights is the projection's; ``changes`` are any
    fields of the new Projection, such as ``routes``, ``rule``, ``params``, ``switches``. Both ends need a rule that makes
    the same change of a weight, or the two copies part.
    """
    lists = projection.weight
    weight = (
        Sparse(lists.post, lists.pre, lists.weight, lists.delay, lists.shared)
        if isinstance(lists, Sparse)
        else np.asarray(lists).T
    )
    kept: dict[str, Any] = {"mirror": projection.label, "view": projection.view}
    return Projection(
        projection.post, projection.pre, weight, name or f"{projection.label}.back", **{**kept, **changes}
    )


def rewired(network: Network, *items: Population | Projection) -> Network:
    """The network with these populations and projections: in the place of those of the same name, new ones at the end."""
    populations = {population.name: population for population in network.populations}
    projections = {projection.label: projection for projection in network.projections}
    for item in items:
        if isinstance(item, Population):
            populations[item.name] = item
        else:
            projections[item.label] = item
    return replace(network, populations=tuple(populations.values()), projections=tuple(projections.values()))

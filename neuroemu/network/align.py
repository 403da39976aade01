"""Keep a layered network in step: every hop costs a tick, so a deeper population starts later (docs/machine.md, latency).

A population's *age* k is the number of hops from the input to it; its somas run in ticks k .. k+T-1. A projection that
skips layers gets the missing ticks as delay. A loop enters at the age of the path into it; one that spans several ages
takes more ticks on the chip than the one it has in the frameworks, and is reported.
"""

from __future__ import annotations

from dataclasses import dataclass

from neuroemu.network.network import HostInput, Network


@dataclass(frozen=True)
class Alignment:
    """Ages by population, delay to add by projection, and what could not be kept."""

    age: dict[str, int]
    extra: dict[str, int]
    lag: int
    """Age of the oldest output: row t of the input shows there in tick t + lag."""
    notes: tuple[str, ...]


def align(network: Network, enabled: bool) -> Alignment:
    """Ages and balancing delays. With ``enabled=False`` every soma runs from tick 0 and nothing is delayed."""
    backward = _backward(network)
    forward = [p for p in network.projections if p.label not in backward]
    age = {population.name: 0 for population in network.populations}
    for _ in network.populations:
        changed = False
        for projection in forward:
            least = age[projection.pre] + 1
            if age[projection.post] < least:
                age[projection.post], changed = least, True
        if not changed:
            break
    lag = max([age[name] for name in network.outputs], default=max(age.values(), default=0))
    notes = []
    extra = {projection.label: 0 for projection in network.projections}
    if not enabled:
        return Alignment(age, extra, lag, ())
    for projection in network.projections:
        span = age[projection.post] - age[projection.pre] - 1
        if projection.label in backward:
            if span < -1:
                notes.append(
                    f"loop through projection '{projection.label}' takes {-span} ticks on the chip, 1 in the frameworks: "
                    f"each population on the way costs a hop"
                )
        elif span > 0:
            extra[projection.label] = span
            notes.append(
                f"projection '{projection.label}' skips {span} populations and is delayed by {span} ticks to stay in step"
            )
    return Alignment(age, extra, lag, tuple(notes))


def _backward(network: Network) -> set[str]:
    """Projections that close a loop, found depth first from the host inputs, in the order populations were declared."""
    order = {population.name: k for k, population in enumerate(network.populations)}
    outgoing: dict[str, list[tuple[str, str]]] = {population.name: [] for population in network.populations}
    for projection in sorted(network.projections, key=lambda projection: order[projection.post]):
        outgoing[projection.pre].append((projection.label, projection.post))
    hosts = [p.name for p in network.populations if isinstance(p.neuron, HostInput)]
    others = [p.name for p in network.populations if not isinstance(p.neuron, HostInput)]
    closing: set[str] = set()
    done: set[str] = set()
    for root in (*hosts, *others):
        if root in done:
            continue
        path = {root}
        stack = [(root, iter(outgoing[root]))]
        while stack:
            name, edges = stack[-1]
            edge = next(edges, None)
            if edge is None:
                stack.pop()
                path.discard(name)
                done.add(name)
            elif edge[1] in path:
                closing.add(edge[0])
            elif edge[1] not in done:
                path.add(edge[1])
                stack.append((edge[1], iter(outgoing[edge[1]])))
    return closing

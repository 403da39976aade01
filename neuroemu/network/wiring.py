"""Put a learning rule into a network: what a rule file's ``wire`` function adds, by the public Network API.

A rule file (firmware/rules/*.py, or your own) holds programs, each a class used as a namespace or the file itself, and

    def wire(network, projections, output, **options):

host code that runs once and returns a Network: it assigns rules and somas, adds feedback and mirrored projections, draws
initial weights, sets modulators, phases and probes. The checker never looks at it.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from neuroemu.base.errors import FirmwareError, NetworkError, NeuroemuError
from neuroemu.base.shelf import find_program, unknown
from neuroemu.network.network import HostInput, Network


def wire(
    network: Network,
    rule: str | os.PathLike[str],
    *,
    projections: Sequence[str] | None = None,
    output: str | None = None,
    **options: Any,
) -> Network:
    """The network with a rule that learns ``projections`` (labels; all by default) towards population ``output``.

    ``rule`` is a shipped rule's name or the path of a rule file; ``options`` are those of its ``wire``. ``output`` defaults to
    the network's only output. Raises UnknownNameError, FileError, FirmwareError for a file without ``wire``, and
    NetworkError for what it cannot take.
    """
    path, _ = find_program(rule, rule=True)
    function = getattr(host_module(path), "wire", None)
    if function is None:
        raise FirmwareError(f"{path}: has no function wire(network, projections, output, **options); add one")
    known = [projection.label for projection in network.projections]
    for label in projections or ():
        if label not in known:
            raise unknown("projection", label, known)
    if output is None and len(network.outputs) == 1:
        output = network.outputs[0]
    accepted = {name: p for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY}
    for name in options:
        if name not in accepted:
            raise unknown(f"option of rule '{path.stem}'", name, accepted)
    try:
        result = function(network, tuple(known if projections is None else projections), output, **options)
    except NeuroemuError:
        raise
    except Exception as error:
        raise FirmwareError(
            f"{path}: wire failed ({type(error).__name__}: {error}); check the options, or correct the file"
        ) from None
    if not isinstance(result, Network):
        raise FirmwareError(f"{path}: wire returned a {type(result).__name__}; return a Network")
    return result


def host_module(path: Path) -> ModuleType:
    """A rule file as Python runs it, for its host functions. Raises FirmwareError if it cannot be loaded."""
    spec = importlib.util.spec_from_file_location(f"neuroemu_rule_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise FirmwareError(f"{path}: cannot be loaded ({type(error).__name__}: {error}); correct the file") from None
    return module


def layers(network: Network, projections: Sequence[str]) -> list[str]:
    """Labels of the projections in order from the input on. Raises NetworkError unless they form one chain."""
    left = {network.projection(label).pre: label for label in projections}
    hosts = [p.name for p in network.populations if isinstance(p.neuron, HostInput)]
    order: list[str] = []
    at = next((name for name in hosts if name in left), None)
    while at in left:
        order.append(left.pop(at))
        at = network.projection(order[-1]).post
    if left or not order:
        raise NetworkError(
            f"projections {', '.join(projections) or 'none'} do not form one chain from an input; name the layers of a feed-forward network"
        )
    return order

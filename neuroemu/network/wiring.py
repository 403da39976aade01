"""Put a learning rule into a network: what a rule file's ``wire`` function adds, by the public Network API.

A rule file (firmware/rules/*.py, or your own) holds programs, each a class used as a namespace or the file itself, and

    def wire(network, projections, output, **options):

host code that runs once and returns a Network: it assigns rules and somas, adds feedback and mirrored projections, draws
initial weights, sets modulators, phases and probes. Of the whole file it alone is executed (host_code.py), the rest is read.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuroemu.base.errors import FirmwareError, NetworkError, NeuroemuError
from neuroemu.base.shelf import find_program, read_text, unknown
from neuroemu.language.reader import read_file
from neuroemu.network.host_code import host_function
from neuroemu.network.network import Network


def wire(
    network: Network,
    rule: str | os.PathLike[str],
    *,
    projections: Sequence[str] | None = None,
    output: str | None = None,
    **options: Any,
) -> Network:
    """The network with a rule that learns ``projections`` (labels; all by default) towards population ``output``.

    ``rule`` is a shipped rule's name, the path of a rule file, or an alias that stands for options (``stdp.nearest``);
    ``options`` are those of its ``wire``. ``output`` defaults to the network's only output. A rule file is code, and its
    ``wire`` is run: RuleCodeWarning says so once of a file that is not shipped. Raises UnknownNameError, FileError, FirmwareError
    for a file that is not accepted or has no ``wire``, and NetworkError for what it cannot take.
    """
    path, member = find_program(rule, rule=True)
    function = host_function(path, "wire")
    if function is None:
        raise FirmwareError(f"{path}: has no function wire(network, projections, output, **options); add one")
    known = [projection.label for projection in network.projections]
    for label in projections or ():
        if label not in known:
            raise unknown("projection", label, known)
    if output is None and len(network.outputs) == 1:
        output = network.outputs[0]
    if member != path.stem:
        options = _of_alias(path, member, options)
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


def _of_alias(path: Path, member: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, and those that an alias stands for: ``stdp.nearest`` is rule ``stdp`` with nearest=True."""
    file = read_file(read_text(path), str(path), path.stem)
    if member not in file.aliases and member not in file.programs:
        raise unknown("rule", member, [path.stem, *file.aliases])
    stands_for = file.aliases[member].options if member in file.aliases else None
    if stands_for is None:
        raise NetworkError(
            f"rule '{member}' is one program of a rule file, and wire puts all of them into the network; name rule '{path.stem}'"
        )
    for name, value in stands_for.items():
        if options.get(name, value) != value:
            raise NetworkError(
                f"rule '{member}' is '{path.stem}' with {name}={value!r}, the options say {name}={options[name]!r}; leave one away"
            )
    return {**options, **stands_for}

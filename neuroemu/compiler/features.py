"""What a network asks of a chip's rule unit beyond registers and capacities, and the refusal where the chip does not have it.

Needs are read off the structure of programs and network, never off a name. A datasheet says of every feature that the chip
has it or lacks it; where no source says either it is unknown, and refused unless the user assumes it (docs/datasheet.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from neuroemu.base.errors import UnsupportedError
from neuroemu.base.shelf import chips
from neuroemu.chip.chip import Chip, load_chip
from neuroemu.chip.datasheet import FEATURES
from neuroemu.language.evaluate import place_of
from neuroemu.language.language import Function, Program
from neuroemu.language.program import is_rule, load_program, specialize
from neuroemu.network.network import FLOAT_MODELS, Firmware, HostInput, Network


@dataclass(frozen=True)
class Need:
    """A feature, and the place that needs it: one clause, to which the refusal is added."""

    feature: str
    what: str
    instead: str = ""
    """What would do without the feature, if anything: ``route the weight alone``."""


def of_program(program: Program, who: str = "") -> Iterator[Need]:
    """What a program needs; ``who`` says who runs it, in a network."""

    def says(function: Function, what: str) -> str:
        line, column = place_of(function.node)
        return f"{who}{': ' if who else ''}{program.path}:{line}:{column}: {function.name} of '{program.name}' {what}"

    if program.payloads:
        soma = program.hooks["soma"]
        returned = ", ".join(f"'{channel}_payload'" for channel in program.payloads)
        yield Need("graded_payload", says(soma, f"returns {returned}"))
    beside = [channel for channel in program.channels if channel != "spike"]
    if beside:
        yield Need("channels", says(program.hooks["soma"], f"sends on channel '{beside[0]}'"))
    for name, function in program.hooks.items():
        if name == "modulate":
            yield Need("modulators", says(function, "takes a value from the host"))
        if name in ("commit", "commit_synapse"):
            yield Need("deferred_commit", says(function, "changes registers after several presentations"))
        if any(argument.name in ("phase", "phase_tick") for argument in function.arguments):
            yield Need("phases", says(function, "reads the phase"))


def of_network(network: Network) -> list[Need]:
    """What a network needs of a chip, in declared order; projections first, whose routes say it plainest."""
    needs = []
    for projection in network.projections:
        if any(mode == "weight*payload" for ports in (projection.routes or {}).values() for _, mode in ports):
            needs.append(
                Need(
                    "graded_payload",
                    f"projection '{projection.label}': route multiplies by the payload",
                    "route the weight alone",
                )
            )
        if projection.rule is not None:
            rule = specialize(load_program(projection.rule), projection.switches)
            needs += of_program(rule, f"projection '{projection.label}'") if is_rule(rule) else []
            if projection.mirror is not None:
                needs.append(
                    Need("mirrors", f"projection '{projection.label}': learns as mirror of '{projection.mirror}'")
                )
    for population in network.populations:
        if population.compete:
            needs.append(Need("winner_unit", f"population '{population.name}': competes"))
        if isinstance(population.neuron, Firmware):
            neuron = specialize(load_program(population.neuron.program), population.neuron.switches)
            needs += of_program(neuron, f"population '{population.name}'")
    return needs


def runs(chip: Chip, neurons: Iterable[str], rules: Iterable[str]) -> bool:
    """Whether a chip runs these neuron and rule programs at all."""
    programs = chip.sheet.core.programs
    return (programs.any or set(neurons) <= set(programs.names)) and (
        programs.rules is None or set(rules) <= set(programs.rules)
    )


def require(chip: Chip, needs: list[Need], neurons: Iterable[str] = (), rules: Iterable[str] = ()) -> None:
    """Refuse what needs a feature that the chip lacks, or that no source states and nobody assumes.

    Names the shipped chips that run the programs and have all that is needed. Raises UnsupportedError.
    """
    missing = [need for need in needs if not chip.has(need.feature)]
    if not missing:
        return
    order = list(FEATURES)
    need = min(missing, key=lambda need: (chip.has(need.feature) is None, order.index(need.feature)))
    neurons, rules = list(neurons), list(rules)
    names = {need.feature for need in needs}
    known = [load_chip(name) for name in chips()]
    good = [other.name for other in known if runs(other, neurons, rules) and all(other.has(name) for name in names)]
    ways = [need.instead] if need.instead else []
    ways.append(f"choose a chip that has all this needs ({', '.join(good) or 'none of those shipped'})")
    if runs(chip, neurons, rules) and all(chip.has(need.feature) is None for need in missing):
        assume = ",".join(dict.fromkeys(need.feature for need in missing))
        ways.append(f"vouch for the chip with assume='{assume}'")
    raise UnsupportedError(f"{need.what}, {chip.missing(need.feature)}; {', or '.join(ways)}")


def refuse_missing(chip: Chip, network: Network) -> None:
    """Refuse a network that needs a feature the chip is not known to have. Raises UnsupportedError."""
    neurons = [
        p.neuron.program if isinstance(p.neuron, Firmware) else FLOAT_MODELS[type(p.neuron)]
        for p in network.populations
        if not isinstance(p.neuron, HostInput)
    ]
    require(chip, of_network(network), neurons, [p.rule for p in network.projections if p.rule is not None])


def assumptions(chip: Chip) -> tuple[str, ...]:
    """What is assumed of the chip, for images and reports."""
    return tuple(
        f"assumption: {chip.name} has {FEATURES[name][0]} ({name}), which no source states" for name in chip.assumed
    )

"""Random neurons and rules as firmware files, for networks: what the checker accepts on a chip, with sends, ports and every rule hook."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from programs import COMPARISONS, HELPERS, REGISTERS, Drawn, Generator

from neuroemu.base.errors import FirmwareError
from neuroemu.chip.chip import Chip
from neuroemu.chip.width import Bits
from neuroemu.language.check import check_program
from neuroemu.language.interval import Interval, of_bits
from neuroemu.language.program import parse_program

TRIES = 12
"""Bodies of a hook that are drawn before a safe one is taken."""


def bits(rng: Random, chip: Chip, kind: str, name: str, least: int = 2) -> int:
    """Bits of a register that the chip has room for."""
    width = chip.bits(kind, name)
    assert width is not None
    return min(width.bits, rng.choice([least, 4, 8, 12, 16, 24, 32]))


class Soma(Generator):
    """A soma with one or two ports that sends spikes, some with payloads, some on a second channel."""

    def __init__(self, rng: Random, chip: Chip) -> None:
        self.rng, self.chip, self.length, self.text = rng, chip, 4, ""
        widths = {name: bits(rng, chip, "state", name) for name in REGISTERS}
        self.ranges = {name: of_bits(Bits(width, 0)) for name, width in widths.items()}
        self.ranges |= {"a": Interval(-20, 40), "k": Interval(0, rng.randint(0, 14)), "d": Interval(0, 4096)}
        ports = ["drive", "side"][: rng.randint(1, 2)]
        roles = [f"{name}: State({width})" for name, width in widths.items()]
        roles += [f"{name}: Param{tuple(self.ranges[name])}" for name in ("a", "k", "d")]
        roles += ["s: Switch", "tick: Input", "t: Table(8, -1000, 1000)", "key: Key", "v_width: Width"]
        self.head = f"def soma({', '.join([*roles, *(f'{port}: Port' for port in ports)])}):\n"
        self.names = [*REGISTERS, "a", "k", "s", "STEP", "SPIKE", *ports, *ports]
        self.tail = self.sends()

    def sends(self) -> str:
        """The last statements: what is sent when, of which nothing can be refused."""
        flags, lines = (
            ["spike"],
            [f"spike = 1 if v + drive {self.rng.choice(COMPARISONS)} {self.rng.choice('ax')} else 0"],
        )
        if self.rng.random() < 0.3:
            flags.append("error")
            lines.append(f"error = 1 if u {self.rng.choice(COMPARISONS)} a else 0")
        if self.chip.payload_bits and self.rng.random() < 0.5:
            flags.append("spike_payload")
            lines.append(f"spike_payload = {self.rng.choice(['v', 'a - 3', 'clamp(u, -5, 5)', 'w + 1'])}")
        return "".join(f"    {line}\n" for line in lines) + f"    return {', '.join([*REGISTERS, *flags])}\n"

    def proved(self, body: str) -> Drawn | None:
        text = f"{HELPERS}{self.head}{body}{self.tail}"
        program = parse_program(text, "p.py", "p")
        try:
            found = Drawn(program, check_program(program, self.chip), self.ranges)
        except FirmwareError as error:
            if not any(words in str(error) for words in ("past 64 bits", "takes 0..62", "takes 0..4096")):
                raise
            return None
        self.text = text
        return found


def soma(rng: Random, chip: Chip) -> str:
    """The text of a random neuron."""
    generator = Soma(rng, chip)
    generator.draw()
    return generator.text


def expression(rng: Random, names: Sequence[str], depth: int = 2) -> str:
    """An integer expression over names; ``key`` among them allows draws."""
    values = [name for name in names if name != "key"]
    if depth == 0 or rng.random() < 0.15:
        return rng.choice([*values, *values, str(rng.choice([0, 1, 3, -2, 17, 100, -100, rng.randint(-300, 300)]))])
    a, b = expression(rng, names, depth - 1), expression(rng, names, depth - 1)
    k, low = rng.randint(0, 7), rng.randint(-90, 0)
    forms = [f"({a} + {b})", f"({a} - {b})", f"({a} - {b})", f"({a} * {b})", f"(-{a})", f"abs({a})", f"max({a}, {b})"]
    forms += [f"({a} if {b} {rng.choice(COMPARISONS)} {rng.choice(values)} else {b})", f"min({a}, {b})"]
    forms += [f"shift_{rng.choice(['floor', 'zero', 'round', 'away', 'left'])}({a}, {k})"] * 3
    forms += [
        f"clamp({a}, {low}, {low + 90})",
        f"decay_to_zero({a}, {rng.choice([0, 100, 4096])})",
        f"leading_one({a})",
    ]
    if "key" in names:
        forms += [f"shift_stochastic({a}, {k}, key, {rng.randint(-1, 2)})", f"uniform(key, {a}, {k})"] * 2
    return rng.choice(forms)


GATED = {
    **dict.fromkeys(("arrive_synapse", "fire_synapse", "tick_synapse", "end_synapse"), "xye"),
    "commit_synapse": "m",
}
"""Registers that may gate each hook of a rule."""


class Rule:
    """A rule of random hooks: traces of axons and neurons, an eligibility, and weights changed at once or at commits."""

    def __init__(self, rng: Random, chip: Chip) -> None:
        self.rng, self.chip = rng, chip
        self.online = rng.random() < 0.4
        roles = {"x": "pre", "f": "pre_keep", "y": "post_state", "e": rng.choice(["state", "keep"])}
        names = {"pre": "Pre", "pre_keep": "PreKeep", "post_state": "PostState", "state": "State", "keep": "Keep"}
        self.roles = {name: f"{names[kind]}({bits(rng, chip, kind, name)})" for name, kind in roles.items()}
        self.roles |= {"w": "Weight", "m": "Sum", "r": "Param(0, 20)", "key": "Key"}
        self.hooks: dict[str, str] = {}

    def text(self) -> str:
        """The rule's file."""
        synapse = ["e", "w"] if self.online else ["e"]
        self.hook("tick_pre", ["x"], ["x", "tick", "phase"])
        self.hook("arrive", ["x", "f"], ["x", "f", "payload", "channel", "r"], always=True)
        self.hook("arrive_synapse", synapse, ["x", "y", "e", "w", "f", "payload", "channel", "key", "r"])
        self.hook("tick_post", ["y"], ["y", "fired"], always=True)
        self.hook("fire_synapse", synapse, ["x", "y", "e", "w", "key"], always=True)
        self.hook("fire_pre", ["f"], ["f", "x"])
        self.hook("tick_synapse", synapse, ["x", "y", "e", "w", "key"])
        if not self.online:
            self.hook("end_synapse", ["m"], ["x", "y", "e", "f", "w", "key"], always=True)
            self.hook("commit_synapse", ["w"], ["w", "m", "batch", "r", "key"], always=True)
        return self.whole(self.hooks)

    def hook(self, name: str, writes: list[str], reads: list[str], always: bool = False) -> None:
        """Draw a hook until the checker takes it."""
        if not always and self.rng.random() < 0.5:
            return
        for _ in range(TRIES):
            known = [read for read in reads if read in writes or self.rng.random() < 0.7]
            known = known if set(known) - {"key"} else reads
            lines = [f"{write} = {self.value(write, known)}" for write in writes]
            drawn = self.function(name, known, writes, lines)
            if self.accepted(name, drawn):
                self.hooks[name] = drawn
                return
        self.hooks[name] = self.function(name, [], writes, [f"{write} = {write} + 1" for write in writes])

    def value(self, write: str, known: list[str]) -> str:
        value = expression(self.rng, known)
        if write == "m":
            return f"m + {value}"
        return value if self.rng.random() < 0.4 else f"{write} + {value}"

    def function(self, name: str, known: list[str], writes: list[str], lines: list[str]) -> str:
        arguments = [f"{name}: {self.roles.get(name, 'Input')}" for name in dict.fromkeys([*writes, *known])]
        body = "".join(f"    {line}\n" for line in [*lines, f"return {', '.join(writes)}"])
        return f"def {name}({', '.join(arguments)}):\n{body}"

    def accepted(self, name: str, function: str) -> bool:
        try:
            check_program(parse_program(self.whole(self.hooks | {name: function}, gated=False), "p.py", "p"), self.chip)
        except FirmwareError as error:
            if not any(words in str(error) for words in ("past 64 bits", "takes 0..62", "takes 0..4096")):
                raise
            return False
        return True

    def whole(self, hooks: dict[str, str], gated: bool = True) -> str:
        declared = {
            name for name in self.roles if any(f"{name}: {self.roles[name]}" in text for text in hooks.values())
        }
        gates = {
            hook: tuple(n for n in names if n in declared and self.rng.random() < 0.5)
            for hook, names in GATED.items()
            if gated and hook in hooks
        }
        gate = {hook: names for hook, names in gates.items() if names}
        return "".join([f"ONLINE = {self.online}\n", f"GATE = {gate}\n" if gate else "", *hooks.values()])


def rule(rng: Random, chip: Chip) -> str:
    """The text of a random rule."""
    return Rule(rng, chip).text()

"""Random programs the checker accepts: assignments, conditionals, comparisons, every intrinsic, a table, a switch, helpers."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from neuroemu.base.errors import FirmwareError
from neuroemu.chip.chip import Chip
from neuroemu.chip.width import Bits
from neuroemu.language.check import Proof, check_program
from neuroemu.language.interval import Interval, of_bits
from neuroemu.language.language import Program
from neuroemu.language.program import parse_program

HELPERS = """STEP = 3
def blend(x, y):
    z = x + y * STEP
    return shift_zero(z, 1) if x < y else z - y
def noisy(row, i, k):
    return row[clamp(i, 0, 7)] + uniform(k, i, 5)
"""
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
REGISTERS = ("v", "u", "w", "x")
TABLE = (-90, 7, 0, 31, -1, 64, 1000, -1000)


@dataclass(frozen=True)
class Drawn:
    """A random program, its proof, and what its arguments can be; the table, the key and the width are left out."""

    program: Program
    proof: Proof
    ranges: dict[str, Interval]

    def inputs(self, rng: Random) -> dict[str, int]:
        """Arguments in their ranges, often at an end or near zero."""
        found = {}
        for name, (low, high) in self.ranges.items():
            near = [low, high, *(value for value in (-1, 0, 1) if low <= value <= high)]
            found[name] = rng.choice([*near, rng.randint(low, high), rng.randint(low, high)])
        return found

    def arguments(self, values: dict[str, int], key: int) -> list[object]:
        """The hook's arguments in order."""
        return [self.argument(argument.name, values, key) for argument in self.program.hooks["soma"].arguments]

    def argument(self, name: str, values: dict[str, int], key: int) -> object:
        return {"t": TABLE, "key": key, "v_width": self.width}.get(name) or values.get(name, key)

    @property
    def width(self) -> Bits:
        """The width v has."""
        return self.proof.widths["v"]


class Generator:
    """Writes a soma of up to ``length`` statements; one that the checker refuses is left out."""

    def __init__(self, rng: Random, chip: Chip, small: bool, length: int = 6) -> None:
        self.rng, self.chip, self.length = rng, chip, length
        bits = {name: rng.randint(*((2, 11) if small else (20, 32))) for name in REGISTERS}
        self.ranges = {name: of_bits(Bits(b, 0)) for name, b in bits.items()}
        self.ranges |= {"a": Interval(-rng.randint(0, 40), rng.randint(0, 40)), "k": Interval(0, rng.randint(0, 14))}
        self.ranges |= {"d": Interval(0, 4096), "s": Interval(0, 1), "tick": Interval(0, (1 << 20) - 1)}
        roles = [f"{name}: State({b})" for name, b in bits.items()]
        roles += [f"{name}: Param{tuple(self.ranges[name])}" for name in ("a", "k", "d")]
        roles += ["s: Switch", "tick: Input", "t: Table(8, -1000, 1000)", "key: Key", "v_width: Width"]
        self.head = f"def soma({', '.join(roles)}):\n"
        self.names = [*REGISTERS, "a", "k", "s", "STEP", "SPIKE"]

    def draw(self) -> Drawn:
        """The program, at least one statement of which does something."""
        drawn, body = None, ""
        while drawn is None or self.rng.random() < 1 - 1 / self.length:
            target = self.rng.choice([*REGISTERS, "z"])
            operator = self.rng.choice(["=", "=", "=", "+=", "-=", "*="]) if target in self.names else "="
            longer = f"{body}    {target} {operator} {self.expression(3)}\n"
            found = self.proved(longer)
            if found is not None:
                drawn, body = found, longer
                self.names += [target] * (target not in self.names)
        return drawn

    def proved(self, body: str) -> Drawn | None:
        program = parse_program(f"{HELPERS}{self.head}{body}    return {', '.join(REGISTERS)}\n", "p.py", "p")
        try:
            return Drawn(program, check_program(program, self.chip), self.ranges)
        except FirmwareError as error:
            if not any(words in str(error) for words in ("past 64 bits", "takes 0..62", "takes 0..4096")):
                raise
            return None

    # ---- expressions
    def leaf(self) -> str:
        number = self.rng.choice([0, 1, 2, 7, 255, 4096, self.rng.randint(0, 1 << self.rng.randint(1, 40))])
        return self.rng.choice([*self.names, *self.names, "tick", str(number), f"(-{number})"])

    def expression(self, depth: int) -> str:
        if depth == 0 or self.rng.random() < 0.2:
            return self.leaf()
        a, b = self.expression(depth - 1), self.expression(depth - 1)
        forms = [f"({a} {self.rng.choice('++-*')} {b})"] * 3 + [f"({a} if {self.test(depth - 1)} else {b})"] * 3
        forms += [self.call(a, b, depth)] * 4
        return self.rng.choice([*forms, f"(-{a})", f"t[clamp({a}, 0, 7)]", f"blend({a}, {b})", f"noisy(t, {a}, key)"])

    def test(self, depth: int) -> str:
        a, b, c = (self.expression(max(depth - 1, 0)) for _ in range(3))
        one, two = self.rng.choice(COMPARISONS), self.rng.choice(COMPARISONS)
        plain = [f"{a} {one} {b}"] * 4 + [a, f"{a} {one} {b} {two} {c}"]
        if depth:
            more = self.test(depth - 1)
            plain += [f"not ({more})", f"({a} {one} {b} and {more})", f"({more} or {a} {one} {c})"]
            plain.append(f"({more} if {a} {one} {b} else {a} {two} {c})")
        return self.rng.choice(plain)

    def call(self, a: str, b: str, depth: int) -> str:
        k = self.rng.choice(["k", str(self.rng.randint(0, 8)), str(self.rng.randint(0, 40)), f"clamp({b}, 0, 9)"])
        shift = self.rng.choice(["floor", "zero", "round", "away", "left"])
        low, high = sorted((self.rng.randint(-5000, 5000), self.rng.randint(-5000, 5000)))
        return self.rng.choice(
            [
                f"shift_{shift}({a}, {k})",
                f"shift_{shift}({a}, {k})",
                f"shift_stochastic({a}, {k}, key, {self.rng.randint(0, 3)})",
                f"uniform(key, {a}, {k})",
                f"clamp({a}, {low}, {high})",
                f"clamp({a}, {b}, {self.expression(depth - 1)})",
                f"decay_to_zero({a}, {self.rng.choice(['d', '100', '4095', 'clamp(u, 0, 4096)'])})",
                f"fit({a}, v_width)",
                f"leading_one({a})",
                f"min({a}, {b})",
                f"max({a}, {b}, {self.leaf()})",
                f"abs({a})",
            ]
        )

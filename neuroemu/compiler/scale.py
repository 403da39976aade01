"""The scale of a population: register units per unit of v, and what rounding at it silences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuroemu.base.arrays import Flags, Floats, Ints
from neuroemu.chip.chip import Chip
from neuroemu.compiler.extremes import extremes, never_fires, weight_caps
from neuroemu.network.conventions import Conventions
from neuroemu.network.discrete import Discrete
from neuroemu.network.network import Population

CANDIDATES = 128
"""Scales the search looks at, from the largest down."""
NAMED = 5
"""Neurons a note names."""
Arriving = Mapping[str, tuple[Ints, Floats]]
"""Post neurons and effective weights, by projection."""


def grid_of(chip: Chip, parameter: str) -> int:
    """What values of a parameter are multiples of."""
    stated = chip.parameter(parameter)
    return stated.step if stated else 1


def few(neurons: Sequence[int]) -> str:
    """Neurons by number, the first few of them: ``neurons 1, 2 and 5 more``."""
    shown = ", ".join(map(str, neurons[:NAMED]))
    rest = f" and {len(neurons) - NAMED} more" if len(neurons) > NAMED else ""
    return f"neuron{'s' if len(neurons) > 1 else ''} {shown}{rest}"


@dataclass(frozen=True, eq=False)
class Choice:
    """A scale, the weights and the model that are rounded at it (what cannot matter is clipped), and what to say of it."""

    scale: float
    effective: dict[str, Floats]
    model: Discrete
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scaling:
    """Chooses a population's scale on a chip. Stored weights are multiples of ``step``."""

    chip: Chip
    step: int
    model: Discrete
    conventions: Conventions

    @property
    def lsb(self) -> int:
        """What the smallest stored weight adds to v, in register units."""
        return self.step << self.chip.weight_shift

    def choose(self, population: Population, arriving: Arriving, bounded: bool) -> Choice:
        """The scale with the least rounding, as long as nothing becomes 0 at it.

        Else what cannot matter is clipped first, thresholds that no input reaches and weights that fire their neuron alone, if that
        keeps more: one outlier does not silence the others.
        """
        effective = {label: weight for label, (_, weight) in arriving.items()}
        plain = Choice(self.scale(_joined(effective), self.model.threshold), effective, self.model)
        if self.lost(plain):
            clipped = self.clipped(population, arriving, bounded)
            if clipped is not None and self.lost(clipped) < self.lost(plain):
                plain = clipped
        return replace(plain, notes=(*plain.notes, *self.silenced(population, arriving, plain)))

    def lost(self, choice: Choice) -> int:
        """Weights and thresholds that become 0."""
        weights = _joined(choice.effective)
        lost = np.count_nonzero((weights != 0) & (self.stored(weights, choice.scale) == 0))
        return int(lost + np.count_nonzero(self.threshold_lost(choice)))

    def stored(self, weights: Floats, scale: float) -> Floats:
        """Weights in steps."""
        return np.rint(weights * scale / self.lsb)

    def threshold_lost(self, choice: Choice) -> Flags:
        """Neurons whose threshold becomes 0."""
        threshold = choice.model.threshold
        if threshold is None:
            return np.zeros(0, bool)
        return np.asarray((threshold != 0) & (np.rint(threshold * choice.scale / grid_of(self.chip, "threshold")) == 0))

    def clipped(self, population: Population, arriving: Arriving, bounded: bool) -> Choice | None:
        """The scale without what cannot matter; None if everything does."""
        model, name = self.model, f"population '{population.name}'"
        if model.threshold is None:
            return None
        found = extremes(model, population.n, arriving, bounded)
        never, caps = never_fires(model, found), weight_caps(model, found, self.conventions)
        effective = {label: np.minimum(weight, caps[post]) for label, (post, weight) in arriving.items()}
        able = model.threshold[~never]
        scale = self.scale(_joined(effective), able if able.size else None)
        limit = self.highest_threshold() / scale
        if np.any(found.high[never] * scale > self.highest_threshold()):
            return None
        notes = []
        weights = sum(int(np.count_nonzero(weight != effective[label])) for label, (_, weight) in arriving.items())
        if weights:
            notes.append(f"{name}: {weights} of its weights were clipped: each fires its neuron whatever else comes")
        cut = np.flatnonzero(never & (model.threshold > limit))
        if cut.size:
            notes.append(f"{name}: the threshold of {few(cut.tolist())} was clipped: no input reaches it")
        threshold = np.where(never, np.minimum(model.threshold, limit), model.threshold)
        return Choice(scale, effective, replace(model, threshold=threshold), tuple(notes))

    def silenced(self, population: Population, arriving: Arriving, choice: Choice) -> list[str]:
        """What rounding took away altogether, in words."""
        name, notes = f"population '{population.name}'", []
        heard, kept = np.zeros(population.n, bool), np.zeros(population.n, bool)
        for label, (post, _) in arriving.items():
            weight = choice.effective[label]
            heard[post[weight != 0]] = True
            kept[post[(weight != 0) & (self.stored(weight, choice.scale) != 0)]] = True
        deaf = np.flatnonzero(heard & ~kept)
        if deaf.size:
            weights = _joined(choice.effective)
            zeroed = np.count_nonzero((weights != 0) & (self.stored(weights, choice.scale) == 0))
            notes.append(
                f"{zeroed} of {np.count_nonzero(weights)} weights into '{population.name}' became 0, among them all into "
                f"{few(deaf.tolist())}: no input makes them spike; give the weights more bits, or these neurons a population of their own"
            )
        sharp = np.flatnonzero(self.threshold_lost(choice))
        if sharp.size:
            notes.append(
                f"{name}: the threshold of {few(sharp.tolist())} became 0; give the weights more bits, or these neurons a "
                "population of their own"
            )
        return notes

    def scale(self, weights: Floats, threshold: Floats | None) -> float:
        """Register units per unit of v: the least rounding of weights and threshold among scales that use the register."""
        largest = float(np.abs(weights).max()) if weights.size else 0.0
        grid = grid_of(self.chip, "threshold")
        top = self.highest_weight() / largest if largest else np.inf
        if threshold is not None and np.any(threshold != 0):
            top = min(top, self.highest_threshold() / float(np.abs(threshold).max()))
        if not np.isfinite(top):
            return float(1 << self.chip.weight_shift)
        if not largest:
            return float(top)
        most = int(np.floor(top * largest / self.lsb))
        # the largest weight on a whole number of steps; and the power of two, at which dyadic networks are exact
        candidates = np.arange(max(1, most // 2, most - CANDIDATES), most + 1) * (self.lsb / largest)
        candidates = np.concatenate([candidates, [2.0 ** np.floor(np.log2(top)), top]])
        sample = weights[weights != 0]
        spread = float(np.sqrt(np.mean((sample / largest) ** 2))) * largest  # squares alone can leave float's range
        best, least = float(top), np.inf
        for candidate in candidates[::-1]:
            error = _rms_rounding(sample * (candidate / self.lsb)) * self.lsb / candidate / spread
            if threshold is not None:
                level = threshold * (candidate / grid)
                rounding = float(np.mean(np.abs(level - np.rint(level)))) * grid
                error += rounding / candidate / max(float(np.abs(threshold).mean()), 1e-300)
            if error < least * (1 - 1e-9):
                best, least = float(candidate), error
        return best

    def highest_weight(self) -> int:
        """The largest weight that is stored, in register units of v."""
        levels = min((1 << (self.chip.weight_width.bits - 1)) // self.step - 1, self.chip.weight_range[1] // self.step)
        return levels * self.lsb

    def highest_threshold(self) -> float:
        """Half of what v holds, so that a neuron just below threshold can still take a large drive."""
        width = self.chip.bits("state", "v")
        half = float(1 << (width.bits - 2)) if width else float(1 << 30)
        stated = self.chip.parameter("threshold")
        return min(half, float(stated.max)) if stated else half


def leaks_lost(population: Population, name: str, exact: Floats, rounded: Ints) -> str | None:
    """A note if a decay that is not 0 became 0: such a neuron never forgets."""
    lost = np.flatnonzero((exact > 0) & (rounded == 0))
    if not lost.size:
        return None
    return (
        f"population '{population.name}': {name} of {few(lost.tolist())} became 0 ({exact[lost].max():.3g} a tick): nothing "
        "leaks away; use a larger dt, or a chip with finer decays"
    )


def bias_lost(population: Population, name: str, exact: Floats | float, rounded: Ints) -> str | None:
    """A note if a bias that is not 0 became 0."""
    lost = np.flatnonzero((np.broadcast_to(np.asarray(exact), rounded.shape) != 0) & (rounded == 0))
    if not lost.size:
        return None
    return f"population '{population.name}': the {name} of {few(lost.tolist())} became 0, below one register unit"


def _joined(effective: Mapping[str, Floats]) -> Floats:
    return np.concatenate([*effective.values(), np.zeros(0)])


def _rms_rounding(exact: Floats) -> float:
    return float(np.sqrt(np.mean((exact - np.rint(exact)) ** 2)))

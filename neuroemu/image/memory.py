"""What a chip remembers from one presentation to the next: weights, and registers of the classes ``weight`` and ``keep``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from neuroemu.base.arrays import Ints
from neuroemu.base.errors import RunError
from neuroemu.image.image import Image, ImagePopulation, ImageProjection, Part
from neuroemu.language.language import LASTING


@dataclass(frozen=True, eq=False)
class Memory:
    """``weights`` by projection, shape (n_synapses,) in the order of their ids; ``registers`` by ``owner.register``, in the shapes of
    Run.state; ``commits`` so far, which random numbers of commit hooks depend on."""

    weights: Mapping[str, Ints] = field(default_factory=dict)
    registers: Mapping[str, Ints] = field(default_factory=dict)
    commits: int = 0

    def __repr__(self) -> str:
        kinds = (("weights", self.weights), ("registers", self.registers))
        held = (f"{sum(array.size for array in arrays.values())} {kind}" for kind, arrays in kinds)
        return f"Memory({', '.join(held)}, {self.commits} commits)"

    @property
    def digest(self) -> str:
        """SHA-256 of everything remembered, as hexadecimal digits."""
        sha = hashlib.sha256(f"{self.commits}".encode())
        for kind in (self.weights, self.registers):
            for name in sorted(kind):
                sha.update(name.encode() + np.ascontiguousarray(kind[name], np.int64).tobytes())
        return sha.hexdigest()


def lasting(image: Image) -> dict[str, str]:
    """The registers that last, by ``owner.register``, with the owner's name; a projection's weight is apart."""
    owners: tuple[ImagePopulation | ImageProjection, ...] = (*image.populations, *image.projections)
    found = {}
    for owner in owners:
        program = image.program_of(owner)
        for register in program.registers.values() if program else ():
            weight = isinstance(owner, ImageProjection) and register.kind == "weight" and register.level == "synapse"
            if register.kind in LASTING and not weight:
                found[f"{owner.name}.{register.name}"] = owner.name
    return found


def remembered(image: Image, weights: Mapping[str, Ints], state: Mapping[str, Ints], commits: int) -> Memory:
    """What of an engine's final weights and state lasts."""
    plastic = {projection.name for projection in image.projections if projection.program is not None}
    return Memory(
        {name: weight for name, weight in weights.items() if name in plastic},
        {name: state[name] for name in lasting(image) if name in state},
        commits,
    )


def unchanged(image: Image, memory: Memory, start: Memory) -> Memory:
    """What lasts after an evaluation: what was there before, whatever registers of class ``keep`` held meanwhile."""
    held = {name: start_of(image, start, *name.rsplit(".", 1)) for name in lasting(image)}
    return replace(memory, registers={name: values for name, values in held.items() if values is not None})


def start_of(image: Image, start: Memory, owner: str, name: str) -> Ints | None:
    """Start values of a lasting register, of the memory or else of the image; None if they are its program's."""
    found = start.registers.get(f"{owner}.{name}")
    return image.registers.get(f"{owner}.{name}") if found is None else found


def check_memory(image: Image, memory: Memory) -> None:
    """Raise RunError if the memory is not one of this image."""
    sizes = {p.name: sum(part.post.size for part in p.parts) for p in image.projections}
    for name, weight in memory.weights.items():
        if sizes.get(name) != weight.size:
            raise RunError(
                f"memory holds {weight.size} weights of projection '{name}', the image has {sizes.get(name, 0)}; "
                "give the memory of a run of this image"
            )
    known = lasting(image)
    for name in memory.registers:
        if name not in known:
            raise RunError(
                f"memory holds register '{name}', which the image lacks; give the memory of a run of this image"
            )


def with_memory(image: Image, memory: Memory) -> Image:
    """The image as the memory has it: its weights stored, its registers' start values. Raises RunError."""
    check_memory(image, memory)
    projections = tuple(
        replace(p, parts=_stored(p, memory.weights[p.name])) if p.name in memory.weights else p
        for p in image.projections
    )
    return replace(image, projections=projections, registers={**image.registers, **memory.registers})


def _stored(projection: ImageProjection, weights: Ints) -> tuple[Part, ...]:
    ids = np.sort(np.concatenate([part.ids for part in projection.parts]))
    return tuple(
        replace(part, weight=weights[np.searchsorted(ids, part.ids)].astype(np.int32)) for part in projection.parts
    )

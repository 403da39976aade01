"""What a training changes of its image: parameters that follow a schedule by epoch, and owners that do not learn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from neuroemu.base.errors import RunError
from neuroemu.base.shelf import unknown
from neuroemu.compiler.parameters import parameters
from neuroemu.image.image import Image, ImagePopulation, ImageProjection
from neuroemu.network.integers import integers

Schedule = Mapping[str, Mapping[int, int | Sequence[int]]]
"""By ``owner.parameter``: the value from an epoch on, counted from 0; before the first one the image's own."""
Scheduled = ImagePopulation | ImageProjection


def owners(image: Image) -> dict[str, Scheduled]:
    """Populations on the chip and projections, by name."""
    found: dict[str, Scheduled] = {p.name: p for p in image.populations if not p.is_host}
    return found | {p.name: p for p in image.projections}


def freeze(image: Image, names: Collection[str]) -> Image:
    """The image in which these projections and populations do not learn: their weights, or biases and the like, stay as they are.

    Mirrors of a frozen projection are frozen with it. Everything else goes on, errors through a frozen layer too. What only
    served the learning is neither run nor priced. Raises UnknownNameError.
    """
    known = owners(image)
    for name in names:
        if name not in known:
            raise unknown("projection or population (frozen)", name, known)
    still = {name for name in names if isinstance(known[name], ImagePopulation)}
    first_ids = {_first_id(p) for p in image.projections if p.name in names}
    return replace(
        image,
        populations=tuple(replace(p, frozen=True) if p.name in still else p for p in image.populations),
        projections=tuple(replace(p, frozen=True) if _first_id(p) in first_ids else p for p in image.projections),
    )


def _first_id(projection: ImageProjection) -> int:
    """The lowest id of its synapses: mirrors have those of their original, all others have ranges of their own."""
    return min((int(part.ids.min()) for part in projection.parts if part.ids.size), default=-1)


def check_schedule(image: Image, schedule: Schedule) -> None:
    """Raise UnknownNameError, RunError, NetworkError or UnsupportedError for what the image's programs or its chip do not take."""
    known = owners(image)
    for place, values in schedule.items():
        name, _, parameter = place.rpartition(".")
        if name not in known:
            raise unknown(f"projection or population (schedule '{place}')", name, known)
        program = image.program_of(replace(known[name], frozen=False))
        wanted = program.of_kind("param", "table") if program else ()
        if parameter not in wanted:
            raise unknown(f"parameter (schedule '{place}')", parameter, wanted)
        for epoch in values:
            if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
                raise RunError(f"schedule '{place}': epoch {epoch!r} is not one; epochs are counted from 0")
            at_epoch(image, {place: values}, epoch)


def at_epoch(image: Image, schedule: Schedule, epoch: int) -> Image:
    """The image with the parameters that a checked schedule gives it in an epoch; the image itself if that changes none."""
    known, changed = owners(image), dict[str, Scheduled]()
    for place, values in schedule.items():
        due = [e for e in values if e <= epoch]
        if not due:
            continue
        name, _, parameter = place.rpartition(".")
        owner = changed.get(name, known[name])
        program = image.program_of(replace(owner, frozen=False))
        assert program is not None
        where = f"schedule '{place}', epoch {max(due)}"
        n = owner.n if isinstance(owner, ImagePopulation) else 1
        given = {key: np.asarray(value, np.int64) for key, value in owner.params.items()}
        given[parameter] = integers(values[max(due)], where)
        changed[name] = replace(owner, params=parameters(image.chip, where, program, given, n))
    if not changed:
        return image

    populations = {name: owner for name, owner in changed.items() if isinstance(owner, ImagePopulation)}
    projections = {name: owner for name, owner in changed.items() if isinstance(owner, ImageProjection)}
    return replace(
        image,
        populations=tuple(populations.get(p.name, p) for p in image.populations),
        projections=tuple(projections.get(p.name, p) for p in image.projections),
    )


def digest(schedule: Schedule) -> str:
    """SHA-256 of the schedule as hexadecimal digits, for checkpoints."""
    plain = {
        place: {str(e): np.asarray(v).tolist() for e, v in sorted(values.items())} for place, values in schedule.items()
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def learns(image: Image) -> bool:
    """Whether some hook of the image writes a Weight register."""
    programs = [image.program_of(owner) for owner in owners(image).values()]
    return any(
        argument.kind == "weight" and argument.name in function.returns
        for program in programs
        for function in (program.hooks.values() if program else ())
        for argument in function.arguments
    )

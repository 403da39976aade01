"""What of an image is written into a kernel's text: numbers and names, and nothing else.

Images read from files are checked when they are read. Text that runs is checked once more here, before a line of it is written, for an
image can also be made in Python, and a check somewhere else is one that can be forgotten.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.base.errors import RunError
from neuroemu.base.fields import shown
from neuroemu.engines.job import Job


def as_number(value: Any, place: str) -> int:
    """The value as an int, if it is a whole number. Raises RunError."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise RunError(
            f"{place} of the image is {shown(value)}, and only whole numbers are written into a kernel; "
            "compile the network again"
        )
    return int(value)


def as_name(value: Any, place: str) -> str:
    """The value, if it is a name in a program. Raises RunError."""
    if type(value) is not str or not value.isidentifier():
        raise RunError(
            f"{place} of the image is {shown(value)}, and only names of letters, digits and _ are written into a kernel; "
            "compile the network again"
        )
    return value


def check_written(job: Job) -> None:
    """Check all that a kernel's text has from its image and its job. Raises RunError."""
    for population in job.image.populations:
        place = f"population '{population.name}'"
        as_number(population.id0, f"{place}: id0")
        for size in population.shape:
            as_number(size, f"{place}: shape")
        for flag, register in population.compete.items():
            as_name(flag, f"{place}: compete")
            as_name(register, f"{place}: compete")
        _check_owner(place, population)
    for projection in job.image.projections:
        place = f"projection '{projection.name}'"
        for end in (projection.pre, projection.post):
            as_number(end, f"{place}: pre or post")
        for value in projection.view or ():
            as_number(value, f"{place}: view")
        for channel, ports in projection.routes.items():
            as_name(channel, f"{place}: routes")
            for port, _ in ports:
                as_name(port, f"{place}: routes")
        for part in projection.parts:
            as_number(part.delay, f"{place}: delays")
        _check_owner(place, projection)
    for number, register in job.image.probes:
        as_number(number, "probes")
        as_name(register, "probes")
    for tick, numbers in job.modulations.items():
        for value in (tick, *numbers):
            as_number(value, "modulators")


def _check_owner(place: str, owner: Any) -> None:
    for name, value in owner.params.items():
        as_name(name, f"{place}: params")
        if not isinstance(value, np.ndarray):
            as_number(value, f"{place}: params.{name}")
    for name, width in owner.widths.items():
        as_name(name, f"{place}: widths")
        for value in width:
            as_number(value, f"{place}: widths.{name}")

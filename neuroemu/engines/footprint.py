"""Whether what a run is known to need fits in memory: asked before it starts, so that it does not fail after an hour."""

from __future__ import annotations

import os
from pathlib import Path

from neuroemu.base.errors import RunError
from neuroemu.engines.job import Job, readouts

GIB = 1 << 30
WORD = 8
"""Bytes of a probed value."""
MEMINFO = Path("/proc/meminfo")
GROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""What a container may take, by version of Linux's control groups."""


def check_footprint(job: Job) -> None:
    """Refuse probes and read-outs that are larger than the memory that is free. Raises RunError."""
    need, free = WORD * probed_values(job), free_bytes()
    if free is not None and need > free:
        raise RunError(
            f"probes and read-outs of {job.stimulus.n} presentations of {job.ticks} ticks need {need / GIB:.2f} GiB, "
            f"{free / GIB:.2f} GiB of memory are free; probe fewer populations, run fewer presentations at a time, or shorten them"
        )


def probed_values(job: Job) -> int:
    """How many values a run will hold of what it probes and reads out."""
    populations, n = job.image.populations, job.stimulus.n
    probes = sum(populations[number].n for number, _ in job.image.probes)
    return n * (job.ticks * probes + sum(populations[number].n for number in readouts(job.image)))


def free_bytes() -> int | None:
    """Bytes this process can still take: by the machine, by its container, by its own limit. None if the system tells nothing."""
    found = [bytes_ for bytes_ in (_machine_free(), _group_limit(), _process_free()) if bytes_ is not None]
    return min(found, default=None)


def _machine_free() -> int | None:
    """Memory that is free or can be freed, and free swap; elsewhere than on Linux all the memory there is."""
    try:
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
        return sum(int(lines[name].split()[0]) << 10 for name in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_limit() -> int | None:
    for path in GROUP_LIMITS:
        try:
            return int(path.read_text())
        except (OSError, ValueError):  # another version, or "max"
            continue
    return None


def _process_free() -> int | None:
    """What ``ulimit -v`` leaves, as batch systems set it."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError, ValueError, IndexError):
        return None
    return None if limit == resource.RLIM_INFINITY else max(limit - pages * os.sysconf("SC_PAGE_SIZE"), 0)

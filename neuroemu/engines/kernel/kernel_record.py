"""The record of packets in a kernel: its rows are Spikes.FIELDS, and it grows while a presentation runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.language.program import plain_source

GROWS = "@njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)"


def grown(record: Any, length: Any, more: Any) -> Any:
    """A record that holds the first ``length`` packets of another and has room for ``more``, at least twice as long."""
    longer = np.empty((record.shape[0], max(2 * record.shape[1], length + more)), np.int32)
    for row in range(record.shape[0]):
        for column in range(length):
            longer[row, column] = record[row, column]
    return longer


def record_source() -> str:
    """The text of ``grown`` for a kernel: the only function of a tick that allocates."""
    return f"{GROWS}\n{plain_source(grown)}"

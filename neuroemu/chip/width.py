"""How wide a register is."""

from __future__ import annotations

from typing import NamedTuple


class Bits(NamedTuple):
    """A register's width: two's complement of ``bits`` bits, wrapping (1) or saturating (0) on overflow."""

    bits: int
    wraps: int

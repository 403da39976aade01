"""Energies and times with the unit that suits them."""

from __future__ import annotations

FJ = {"fJ": 1, "pJ": 10**3, "nJ": 10**6, "uJ": 10**9, "mJ": 10**12}
PS = {"ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12}


def amount(value: float, units: dict[str, int]) -> str:
    """A number with the unit that gives it one to three digits before the point."""
    best = next(iter(units))
    for unit, size in units.items():
        if abs(value) >= size:
            best = unit
    return f"{value / units[best]:.4g} {best}"

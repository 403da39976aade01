"""Inference and learning apart: what each takes a presentation, and what learning takes a weight update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from neuroemu.results.report_units import FJ, amount


def learning_lines(parts: Mapping[str, int], n: int, updates: int, provenance: str) -> Iterable[str]:
    """Nothing if nothing was learned. ``parts`` in fJ of all ``n`` presentations, ``updates`` weights written by a rule's hook,
    ``provenance`` of learning's energy in words."""
    learning = parts["learning"]
    if not learning and not updates:
        return
    whole = max(sum(parts.values()), 1)
    shares = (f"{name} {amount(fj / n, FJ)} ({fj / whole:.0%})" for name, fj in parts.items())
    each = f", {amount(learning / updates, FJ)} of learning each" if updates else ""
    yield f"  apart: {', '.join(shares)}"
    yield f"  learning by provenance: {provenance}"
    yield f"  weight updates per inference: {updates / n:,.1f}{each}"

"""What quantisation lost, node by node: an image states it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Loss:
    """What quantisation did to one node. Errors are relative to the largest weight, the threshold, or 1 (decay)."""

    node: str
    scale: float
    weight_rms: float = 0.0
    weight_max: float = 0.0
    zeroed: int = 0
    threshold: float = 0.0
    decay: float = 0.0
    bias: float = 0.0
    unit: int = 1
    """What a stored weight of 1 adds to v, in register units."""

"""What quantisation lost, node by node: an image states it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Loss:
    """What quantisation did to one node. Every error is relative to the size of what it is an error of.

    ``weight_rms``: root mean square of the errors over that of the weights; ``weight_max``: the same for the neuron that lost
    most, 1 if all weights into it became 0. ``threshold``, ``decay`` and ``bias``: the largest error of a value over that value,
    1 if one became 0. ``zeroed`` weights became 0.
    """

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

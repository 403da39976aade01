"""Integer behaviour of the machine itself, whatever the program: written once, used by every engine (docs/machine.md).

The functions run as they stand on Python integers and are copied, as text, into compiled kernels.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from neuroemu.chip.aer import CHANNELS
from neuroemu.language.isa import HOOKS, fit

SITES = {name: 8 * number for number, name in enumerate(HOOKS)}
"""Where in the tick a random number is drawn: the hook's number, times eight, plus the channel a synapse hook runs for."""


COMMIT_TICK = (1 << 64) - 1
"""Stands for the tick in the key of a draw at a commit, whose number stands for the presentation."""


def site(hook: str, channel: str | None = None) -> int:
    """The draw site of a hook."""
    return SITES[hook] + (CHANNELS[channel] if channel else 0)


def dendrite(total: int, shift: int, width: tuple[int, int]) -> int:
    """A port's value for the soma: the tick's exact sum of stored weights, shifted to the port's scale, narrowed once."""
    return fit(total << shift, width)


def viewed(weight: int, shift: int, half: int, bits: int) -> int:
    """What the datapath takes of a stored weight: (weight + half) / 2^shift towards minus infinity, saturated to ``bits``.

    ``half`` is 2^(shift - 1) to round to nearest, 0 to round down.
    """
    return fit((weight + half) >> shift, (bits, 0))


def beats(score: int, i: int, other: int, j: int) -> bool:
    """Whether neuron i ranks before neuron j: by the larger score, the lower id among equals."""
    return score > other or (score == other and i < j)


def winner(flags: Sequence[int], scores: Sequence[int], groups: Sequence[int], low: int, high: int, group: int) -> int:
    """The winner unit: the flagged neuron of the group with the largest score, the lowest id among equals; -1 if none is flagged.

    ``flags``, ``scores`` and ``groups`` are indexed by neuron; the core holds neurons ``low`` to ``high - 1``.
    """
    best = -1
    for i in range(low, high):
        if flags[i] != 0 and groups[i] == group and (best < 0 or beats(scores[i], i, scores[best], best)):
            best = i
    return best


def contest(
    flags: Sequence[int],
    scores: Sequence[int],
    first: Sequence[int],
    rivals: Sequence[int],
    won: MutableSequence[int],
    near: MutableSequence[int],
) -> None:
    """The winner unit with neighbourhoods: a flagged neuron wins (``won`` 1) if it ranks before each flagged neighbour.

    Neighbours of neuron i are ``rivals[first[i]:first[i + 1]]``, itself among them. ``near`` is 1 where a winner is a neighbour.
    One pass: who loses to a loser loses all the same.
    """
    for i in range(len(first) - 1):
        near[i] = 0
    for i in range(len(first) - 1):
        won[i] = 1 if flags[i] != 0 else 0
        for k in range(first[i], first[i + 1]):
            j = rivals[k]
            if flags[j] != 0 and beats(scores[j], j, scores[i], i):
                won[i] = 0
        if won[i] != 0:
            for k in range(first[i], first[i + 1]):
                near[rivals[k]] = 1

"""SpikeGrad's four synapse programs as they were before rules had switches: the oracle of `spikegrad.synapse`. Not to be changed."""

from neuroemu.isa import Input, Keep, Key, Param, Post, Pre, Sum, Weight, decay_to_zero, shift_left, shift_stochastic

FINE = 8


class forward:
    """Deferred update of a weight: its axon holds S, its neuron E."""

    GATE = {"end_synapse": ("s_pre", "e"), "commit_synapse": "moved"}

    def arrive(s_pre: Pre(16), payload: Input):
        s_pre = s_pre + payload
        return s_pre

    def end_synapse(moved: Sum, s_pre: Pre(16), e: Post(16)):
        moved = moved - s_pre * e
        return moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 40), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w


class backward:
    """The same update of its mirrored copy, by the same integers: the axon holds E, the neuron S."""

    GATE = {"end_synapse": ("e_pre", "s"), "commit_synapse": "moved"}

    def arrive(e_pre: Pre(16), payload: Input):
        e_pre = e_pre + payload
        return e_pre

    def end_synapse(moved: Sum, e_pre: Pre(16), s: Post(16)):
        moved = moved - s * e_pre
        return moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 40), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w


class forward_momentum:
    """`forward` with the recursive form of momentum (4.15): trace = mu trace - S E, and the weight follows (1 - mu) trace."""

    GATE = {"commit_synapse": "moved"}

    def arrive(s_pre: Pre(16), payload: Input):
        s_pre = s_pre + payload
        return s_pre

    def end_synapse(trace: Keep(32), moved: Sum, s_pre: Pre(16), e: Post(16), decay: Param(0, 4096)):
        trace = decay_to_zero(trace, decay) - shift_left(s_pre * e, FINE)
        moved = moved + trace
        return trace, moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 60), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w


class backward_momentum:
    """The same update of its mirrored copy, by the same integers."""

    GATE = {"commit_synapse": "moved"}

    def arrive(e_pre: Pre(16), payload: Input):
        e_pre = e_pre + payload
        return e_pre

    def end_synapse(trace: Keep(32), moved: Sum, e_pre: Pre(16), s: Post(16), decay: Param(0, 4096)):
        trace = decay_to_zero(trace, decay) - shift_left(s * e_pre, FINE)
        moved = moved + trace
        return trace, moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 60), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w

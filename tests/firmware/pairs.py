"""Pair STDP as it was before rules had switches, two separate programs: the oracle of `stdp.synapse`. Not to be changed."""

from neuroemu.isa import Input, Key, Param, PostState, Pre, Weight, clamp, shift_floor, shift_left, shift_stochastic


def decayed(x, k):
    return shift_floor(shift_left(x, k) - x, k)


class all_to_all:
    """Pair STDP with exponential traces: a spike is paired with all spikes of the other side before it."""

    ONLINE = True
    GATE = {"arrive_synapse": "y", "fire_synapse": "x"}

    def tick_pre(x: Pre, k_plus: Param(1, 12)):
        x = decayed(x, k_plus)
        return x

    def arrive(x: Pre, step: Param(1, 32767)):
        x = x + step
        return x

    def arrive_synapse(
        w: Weight, y: PostState, key: Key, a_minus: Param(0, 4095), shift: Param(0, 24), low: Param, high: Param
    ):
        w = clamp(w - shift_stochastic(a_minus * y, shift, key, 0), low, high)
        return w

    def tick_post(y: PostState, fired: Input, step: Param(1, 32767), k_minus: Param(1, 12)):
        y = decayed(y + (step if fired else 0), k_minus)
        return y

    def fire_synapse(w: Weight, x: Pre, key: Key, a_plus: Param(0, 4095), shift: Param(0, 24), low: Param, high: Param):
        w = clamp(w + shift_stochastic(a_plus * x, shift, key, 0), low, high)
        return w


class nearest:
    """Pair STDP with exponential traces: a spike is paired with the last one of the other side."""

    ONLINE = True
    GATE = {"arrive_synapse": "y", "fire_synapse": "x"}

    def tick_pre(x: Pre, k_plus: Param(1, 12)):
        x = decayed(x, k_plus)
        return x

    def arrive(x: Pre, step: Param(1, 32767)):
        x = step
        return x

    def arrive_synapse(
        w: Weight, y: PostState, key: Key, a_minus: Param(0, 4095), shift: Param(0, 24), low: Param, high: Param
    ):
        w = clamp(w - shift_stochastic(a_minus * y, shift, key, 0), low, high)
        return w

    def tick_post(y: PostState, fired: Input, step: Param(1, 32767), k_minus: Param(1, 12)):
        y = decayed(step if fired else y, k_minus)
        return y

    def fire_synapse(w: Weight, x: Pre, key: Key, a_plus: Param(0, 4095), shift: Param(0, 24), low: Param, high: Param):
        w = clamp(w + shift_stochastic(a_plus * x, shift, key, 0), low, high)
        return w

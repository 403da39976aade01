"""A neuron whose soma has statements that a kernel runs apart, and a rule whose fire_synapse it runs by columns; much saturates."""

from neuroemu.isa import (
    Input,
    Key,
    Param,
    Port,
    Post,
    Pre,
    State,
    Sum,
    Table,
    Weight,
    clamp,
    leading_one,
    shift_floor,
    shift_stochastic,
    uniform,
)


class neuron:
    def soma(
        v: State(9),
        w: State(8),
        q: State(6),
        p: State(8),
        r: State(10),
        drive: Port,
        tick: Input,
        key: Key,
        threshold: Param(1, 200),
        table: Table(16, -20, 20),
    ):
        p = p if tick < 2 else uniform(key, 0, 4)
        v = v + clamp(drive, -300, 300) + p
        spike = 1 if v > threshold else 0
        q = q + table[clamp(v - threshold, 0, 15)] if spike else q
        r = r if v > 30 else leading_one(abs(v) + tick)
        w = w + uniform(key, 1, 5) if spike else w
        v = v - threshold - w if spike else v
        return v, w, q, p, r, spike


class rule:
    GATE = {"fire_synapse": ("x", "q", "e"), "end_synapse": "x"}

    def tick_pre(x: Pre(8)):
        x = shift_floor(x, 1)
        return x

    def arrive(x: Pre(8)):
        x = x + 40
        return x

    def fire_synapse(e: State(8, init=1), f: State(8), x: Pre(8), q: Post(6), key: Key):
        e = e + shift_floor(x * q, 4)
        f = uniform(key, 0, 7)
        return e, f

    def end_synapse(sum_c: Sum, e: State(8), f: State(8)):
        sum_c = sum_c + e - f
        return sum_c

    def commit_synapse(c: Weight(8), sum_c: Sum, key: Key):
        c = c + shift_stochastic(sum_c, 5, key, 0)
        return c

"""Reward-modulated STDP: a synapse remembers what it took part in, and a reward told later turns that into weight."""

from neuroemu.isa import (
    Input,
    Keep,
    Key,
    Param,
    Port,
    Post,
    Pre,
    State,
    Weight,
    clamp,
    shift_floor,
    shift_stochastic,
    uniform,
)


class neuron:
    def modulate(told: State(8), value: Input):
        told = value
        return told

    def soma(v: State(16), told: State(8), reward: State(8), drive: Port, key: Key, threshold: Param(1, 9999)):
        v = v + drive + uniform(key, 0, 6)
        spike = 1 if v > threshold else 0
        reward = told  # for one tick: the rule reads it after the soma
        told = 0
        return v, told, reward, spike

    def settle(v: State(16), spike_any: Input):
        v = 0 if spike_any else v
        return v


class synapse:
    ONLINE = True
    GATE = {"fire_synapse": "x", "tick_synapse": "e"}

    def tick_pre(x: Pre(16)):
        x = x - shift_floor(x + 3, 2)
        return x

    def arrive(x: Pre(16)):
        x = x + 64
        return x

    def fire_synapse(e: Keep(16), x: Pre(16)):
        e = e + x
        return e

    def tick_synapse(w: Weight, e: Keep(16), reward: Post(8), key: Key, rate: Param(0, 255)):
        w = clamp(w + shift_stochastic(rate * e * reward, 16, key, 0), 0, 127)
        e = e - shift_floor(e + 31, 5)
        return w, e

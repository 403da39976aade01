"""Ternary integrate-and-fire soma: sends +1 or -1 (Thiele 2019, SpikeGrad, equations 4.5 to 4.8).

    v(t) = v(t-1) + drive;  s = +1 if v >= threshold,  -1 if v <= -threshold,  0 otherwise;  v -= threshold * s;  total += s

The -1 takes back a +1 too many, so that `total` does not depend on the order of inputs. With `relu` a neuron sends -1 only
while total > 0 (4.8); without, it is linear (4.7). One packet a tick: what is left above threshold goes out in the next
ticks. A bias is a weight from a unit that spikes once. The residual spike and the error path belong to the learning rule.
"""
from neuroemu.isa import Param, Port, State, Switch


def soma(v: State, total: State(16), drive: Port, threshold: Param(1, 1073741823), relu: Switch):
    v = v + drive
    down = 1 if v <= -threshold and (total > 0 or not relu) else 0
    spike_payload = 1 if v >= threshold else (-1 if down else 0)
    spike = abs(spike_payload)
    v = v - threshold if v >= threshold else (v + threshold if down else v)
    total = total + spike_payload
    return v, total, spike, spike_payload

"""TrueNorth's soma (Cassidy et al. 2013, Cognitive computing building block; the reset table as NeMo quotes it).

    V += sum over axon types k of weight_k * (spikes that came in on type k)
    V += leak, or leak * sgn(V) (reversal)
    a spike if V >= threshold + n;  then V = reset, V - (threshold + n) (linear), or V (free)
    else if V < -(negative + n):    V = -reset, V + (negative + n) (linear), or V (free)
    with saturate instead:          V = -negative if V < -negative

n is 0, or random in 0 .. 2^mask - 1 (random_threshold). With random_leak the leak is sgn(leak), with probability (abs(leak) + 1) / 256,
drawn in each tick. Left out: the stochastic synapse, which draws for each spike that comes in, while a port only counts them; and
what is not in the equations (NeMo stops a reversed leak at 0 and clips V at 393216).
"""
from neuroemu.isa import Key, Param, Port, State, Switch, uniform


def sign(x):
    return 1 if x > 0 else (-1 if x < 0 else 0)


def soma(
    v: State, type0: Port, type1: Port, type2: Port, type3: Port, key: Key, weight0: Param(-255, 255), weight1: Param(-255, 255),
    weight2: Param(-255, 255), weight3: Param(-255, 255), leak: Param(-255, 255, init=0), threshold: Param(0, 262143),
    negative: Param(0, 262143, init=0), reset: Param(-262143, 262143, init=0), mask: Param(0, 18, init=0), reversal: Switch,
    random_leak: Switch, random_threshold: Switch, linear: Switch, free: Switch, saturate: Switch,
):
    v = v + weight0 * type0 + weight1 * type1 + weight2 * type2 + weight3 * type3
    step = (sign(leak) if abs(leak) >= uniform(key, 0, 8) else 0) if random_leak else leak
    v = v + (step * sign(v) if reversal else step)
    noise = uniform(key, 1, mask) if random_threshold else 0
    low = negative if saturate else negative + noise
    spike = 1 if v >= threshold + noise else 0
    under = 1 if v < -low and not spike else 0
    v = (v if free else (v - threshold - noise if linear else reset)) if spike else v
    v = (-low if saturate else (v if free else (v + low if linear else -reset))) if under else v
    return v, spike

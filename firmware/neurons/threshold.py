"""Threshold unit without memory (NIR's Threshold).

    a spike in every tick in which drive > threshold (inclusive: >=)
"""
from neuroemu.isa import Param, Port, Switch


def soma(drive: Port, threshold: Param, inclusive: Switch):
    spike = 1 if (drive >= threshold if inclusive else drive > threshold) else 0
    return spike

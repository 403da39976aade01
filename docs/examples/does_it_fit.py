"""Ask whether a network fits a chip, before anything runs; and what the answer looks like when it does not."""

import numpy as np

import neuroemu as ne

chip = ne.load_chip("loihi1")


def layer(n: int) -> ne.Network:
    """An input of 500 and one layer of n neurons."""
    weight = np.random.default_rng(0).normal(0, 0.1, (500, n))
    populations = [ne.Population("in", 500, ne.HostInput()), ne.Population("hidden", n, ne.LIF(tau=1e-3, r=10.0))]
    return ne.Network(populations, [ne.Projection("in", "hidden", weight)], outputs=["hidden"])


image = ne.compile(layer(1200), chip)
print("cores:", image.n_cores)
for core, used in image.usage.items():
    print(core, used)

for network, options in ((layer(1200), {"split": False}), (layer(40), {"placement": {"hidden": [(0, 30), (128, 10)]}})):
    try:
        ne.compile(network, chip, **options)
    except ne.CapacityError as error:
        print(error)

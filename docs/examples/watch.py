"""Watch SpikeGrad learn which third of a bar is lit: one synapse, the biases, rates, the mirrored weights, and what to worry about."""

from functools import partial

import numpy as np
from rich.console import Console

import neuroemu as ne

sizes = {"in": 12, "hidden": 10, "out": 3}
populations = [ne.Population(name, n, ne.HostInput() if name == "in" else ne.IF()) for name, n in sizes.items()]
w1 = ne.Projection("in", "hidden", np.zeros((12, 10)), "w1")
w2 = ne.Projection("hidden", "out", np.zeros((10, 3)), "w2")
network = ne.wire(ne.Network(populations, [w1, w2], outputs=["out"]), "spikegrad", k=3)
image = ne.compile(network, ne.load_chip("atlas"), align=False)

rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 120)
lit = np.arange(12) // 4 == labels[:, None]
bars = rng.integers(0, 6, (120, 12)) + 6 * lit * (rng.random((120, 12)) < 0.7)

watch = ne.Watch(weights=["w1", "w2[3, 1]"], registers=["hidden.bias"], angles=[("w2.back", "w2")], every=60)
encode = partial(ne.encode.graded, ticks=1, name="in")
done = ne.train(
    image, (bars, labels), encode=lambda x, first: encode(x, first=first), output="out", readout=("out", "v"), epochs=2,
    engine="python", watch=watch,
)  # fmt: skip

series = watch.series
print("right in training:", [f"{epoch.train_accuracy:.0%}" for epoch in done.history])
for row, presentations in enumerate(watch.presentations):
    print(
        f"after {presentations:3d}: w2[3, 1] {series['weight.w2[3, 1]'][row, 0]:5d}, w1 moved by "
        f"{np.abs(series['weight.w1'][row] - series['weight.w1'][0]).mean():6.1f} on average, "
        f"{series['rate.hidden'][row].sum():4.1f} hidden spikes a sample, feedback at {series['angle.w2.back'][row]:g} degrees"
    )
Console(width=100).print(ne.as_table(ne.weight_histograms(image, done.memory)[:2], "projection"))
for finding in watch.findings:
    print("warning:", finding)

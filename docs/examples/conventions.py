"""The same NIR file under different conventions is a different network: NIR carries neither reset rule nor comparison."""

import tempfile
from pathlib import Path

import numpy as np

import neuroemu as ne

weight = np.array([[0.4375]])
neuron = ne.LIF(tau=8e-4, r=8.0, v_threshold=1.0)
network = ne.Network(
    [ne.Population("in", 1, ne.HostInput()), ne.Population("lif", 1, neuron)],
    [ne.Projection("in", "lif", weight)],
    outputs=["lif"],
)
spikes = (np.random.default_rng(3).random((400, 1)) < 0.5).astype(int)

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "one.nir"
    ne.write_nir(network, path)
    for options in ({}, {"reset": "subtract"}, {"reset_timing": "next"}, {"decay": "exp"}):
        read = ne.read_nir(path, **options)
        image = ne.compile(read, ne.load_chip("generic45"))
        on_chip = len(ne.run(image, spikes, engine="python").spikes)
        in_float = int(ne.simulate(read, spikes).spikes["lif"].sum())
        print(f"{options or 'defaults'}: {in_float} spikes in float, {on_chip} on the chip")

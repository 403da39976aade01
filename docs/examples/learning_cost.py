"""What learning costs on `atlas`: SFDFA and SpikeGrad train on the same forty digits, and the report of each says what learning took."""

import numpy as np

import neuroemu as ne

train, _ = ne.load_dataset("digits")
few = train.take(np.arange(40))
rules = {
    "sfdfa": (
        {"ticks": 20, "k": 5},
        ne.encode.ttfs(few.inputs.reshape(40, -1), ticks=20, window=10, top=16, name="in"),
    ),
    "spikegrad": ({}, ne.encode.graded(few.inputs.reshape(40, -1), ticks=1, name="in")),
}
for rule, (options, stimulus) in rules.items():
    populations = [
        ne.Population("in", 64, ne.HostInput()),
        ne.Population("hidden", 20, ne.IF()),
        ne.Population("out", 10, ne.IF()),
    ]
    layers = [
        ne.Projection("in", "hidden", np.zeros((64, 20)), "w1"),
        ne.Projection("hidden", "out", np.zeros((20, 10)), "w2"),
    ]
    network = ne.wire(ne.Network(populations, layers, outputs=["out"]), rule, **options)
    image = ne.compile(network, ne.load_chip("atlas"))
    told = ne.Stimulus(stimulus.rows, stimulus.n, stimulus.events, {"out": np.eye(10, dtype=int)[few.labels]})
    run = ne.run(image, told, plastic=True, engine="python")  # every presentation is followed by its commit
    costs = ne.report(run)
    print(rule)
    lines = str(costs).splitlines()
    begin = next(k for k, line in enumerate(lines) if line.startswith("energy per inference"))
    print(
        "\n".join(
            line
            for line in lines[begin:]
            if line.startswith(("energy", "  by prov", "  apart", "  learning", "  weight", "note"))
        )
    )

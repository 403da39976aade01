"""Pair STDP on loihi1: inputs that spike together win over inputs that spike alone, and every weight update costs the published 120 pJ."""

import numpy as np

import neuroemu as ne

GROUP, NEURONS, TICKS, PRESENTATIONS = 16, 4, 100, 12


def trains(rng: np.random.Generator) -> np.ndarray:
    """Spikes (ticks, presentations, inputs): the first half at shared moments, the second half as often, each at its own."""
    together = (rng.random((TICKS, PRESENTATIONS, 1)) < 0.06) & (rng.random((TICKS, PRESENTATIONS, GROUP)) < 0.75)
    alone = rng.random((TICKS, PRESENTATIONS, GROUP)) < 0.06 * 0.75
    return np.concatenate([together, alone], axis=-1).astype(int)


def network(rng: np.random.Generator) -> ne.Network:
    """Both groups into leaky neurons, weights around 60 of 255; a trace has 7 bits, so a spike adds 32 to it."""
    weight = rng.integers(50, 70, (2 * GROUP, NEURONS))
    plain = ne.Network(
        [
            ne.Population("in", 2 * GROUP, ne.HostInput()),
            ne.Population("out", NEURONS, ne.Firmware("lif", {"decay_v": 1024, "threshold": 400 * 64})),
        ],
        [ne.Projection("in", "out", weight, "p")],
        outputs=["out"],
    )
    return ne.wire(plain, "stdp", step=32, k_plus=3, k_minus=3, a_plus=60, a_minus=100, shift=8)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    wired, chip = network(rng), ne.load_chip("loihi1")
    run = ne.run(ne.compile(wired, chip), trains(rng), engine="python", plastic=True)
    for name, weight in (("before", wired.projection("p").weight), ("after", run.weights["p"])):
        means = np.reshape(weight, (2, -1)).mean(axis=1)
        print(f"mean weight {name}: together {means[0]:.0f}, alone {means[1]:.0f}")
    report = ne.report(run)
    updates, learning = run.counts["weight_update"], report.by_part["learning"]
    print(f"{updates} weight updates at {learning / updates / 1000:g} pJ: {learning / 1e6:.1f} nJ of learning\n")
    print(report)

"""A bandit learned on the chip by rstdp.py: two actions, four situations, and of every choice only whether it was good, one trial later."""

from pathlib import Path

import numpy as np

import neuroemu as ne

RULE = str(Path(__file__).with_name("rstdp.py"))
SITUATIONS, INPUTS_EACH, TICKS = 4, 4, 20
GOOD = np.array([0, 1, 1, 0])  # the right action in every situation: the chip is never told


def network() -> ne.Network:
    """Four groups of inputs; two actions that compete, so that one of them acts at a time."""
    n = SITUATIONS * INPUTS_EACH
    act = ne.Firmware(f"{RULE}.neuron", {"threshold": 700})
    return ne.Network(
        [ne.Population("in", n, ne.HostInput()), ne.Population("act", 2, act, compete={"spike": "v"})],
        [ne.Projection("in", "act", np.full((n, 2), 40), "p", rule=f"{RULE}.synapse", params={"rate": 24})],
        outputs=["act"],
        modulators=[ne.Modulator("act", 0)],
    )


def play(image: ne.Image, trials: int, seed: int = 0, engine: str = "python") -> tuple[np.ndarray, ne.Memory]:
    """Play trial by trial: (trials,) whether the choice was good, and what the chip remembers in the end."""
    rng, memory, reward, good = np.random.default_rng(seed), ne.Memory(), 0, np.zeros(trials, bool)
    for trial in range(trials):
        situation = int(rng.integers(SITUATIONS))
        inputs = np.zeros((TICKS, 1, SITUATIONS, INPUTS_EACH), int)
        inputs[:, 0, situation] = rng.random((TICKS, INPUTS_EACH)) < 0.5
        told = {"act": np.full((1, 2), reward)}  # of the last choice, to both alike
        events = ne.stimulus(inputs.reshape(TICKS, 1, -1), {"in": SITUATIONS * INPUTS_EACH}, values=told, first=trial)
        run = ne.run(image, events, plastic=True, seed=seed, start=memory, engine=engine)
        memory = run.memory
        good[trial] = run.spike_counts("act")[0].argmax() == GOOD[situation]
        reward = 60 if good[trial] else -60
    return good, memory


if __name__ == "__main__":
    image = ne.compile(network(), ne.load_chip("atlas"))
    good, memory = play(image, 120)
    for low in range(0, 120, 20):
        print(f"trials {low:3d} to {low + 19:3d}: {good[low : low + 20].mean():.0%} good")
    weights = memory.weights["p"].reshape(SITUATIONS, INPUTS_EACH, 2).mean(axis=1)
    print("mean weight from every situation to every action:", weights.round().astype(int).tolist())

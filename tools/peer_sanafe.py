"""SANA-FE on a network of ours. Run by bench_noc.py with the Python of an environment that has sanafe: it is GPL, so it stays there.

    python peer_sanafe.py NETWORK.npz TICKS TIMING_MODEL

The file holds ``pre``, ``post``, ``weight``, ``bias`` and ``core`` arrays and scalars ``threshold``, ``leak``, ``input``, ``refractory``.
Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("ticks", type=int)
    parser.add_argument("model", choices=["simple", "detailed", "cycle"])
    arguments = parser.parse_args()
    import sanafe

    data, ticks, model = np.load(arguments.network), arguments.ticks, arguments.model
    architecture, network = sanafe.load_loihi(), sanafe.Network()
    attributes = {
        "threshold": float(data["threshold"]),
        "reset": 0.0,
        "leak_decay": float(data["leak"]),
        "input_decay": float(data["input"]),
        "refractory_delay": int(data["refractory"]),
        "force_update": True,
    }
    group = network.create_neuron_group("pop", data["bias"].size, model_attributes=attributes, soma_hw_name="loihi_lif")
    cores = architecture.cores()
    for i, (bias, core) in enumerate(zip(data["bias"].tolist(), data["core"].tolist(), strict=True)):
        group[i].set_attributes(model_attributes={"bias": float(bias)})
        group[i].map_to_core(cores[core])
    pairs = list(zip(data["pre"].tolist(), data["post"].tolist(), strict=True))
    group.connect_neurons_sparse(group, {"weight": data["weight"].astype(float).tolist()}, pairs)
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    start = time.perf_counter()
    result = chip.sim(ticks, timing_model=model, perf_trace=True)
    wall = time.perf_counter() - start
    trace = result["perf_trace"]
    print(
        json.dumps(
            {
                "wall_s": wall,
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "spikes": int(np.sum(trace["fired"])),
                "packets": int(np.sum(trace["packets"])) if "packets" in trace else None,
                "synops": int(np.sum(trace["spikes"])),
                "hops": int(np.sum(trace["hops"])),
                "hops_by_tick": [int(n) for n in trace["hops"]][:10],
                "time_s": result["sim_time"],
                "energy_j": result["energy"],
                "keys": list(trace),
            }
        )
    )


if __name__ == "__main__":
    main()

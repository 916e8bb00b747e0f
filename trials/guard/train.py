"""`python -m trials.guard.train`: learn the guard's weights anew and write them, by seed, in about a minute.

Reads the sets of UNDERSTUDY_DATA, else ../shared/data; no text of them is kept, only sums by hash.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from serving.guard.model.linear import FOLDER, LinearModel
from trials.guard.training import SEED, GuardMaterial, gather, learned
from trials.shared_data import data_folder


def write(model: LinearModel, material: GuardMaterial, out: Path) -> None:
    """`weights.npz` and `model.json`."""
    scale = float(np.abs(model.weights).max()) / 127
    whole = np.rint(model.weights / scale).astype(np.int8)
    np.savez_compressed(out / "weights.npz", weights=whole)
    told = {
        "scale": scale,
        "bias": model.bias,
        "han": model.han,
        "flag": model.flag,
        "degrade": model.degrade,
        "seed": SEED,
        "rows": {"attack": int((material.labels * (material.weights > 0)).sum()),
                 "benign": int(((1 - material.labels) * (material.weights > 0)).sum())},
        "turns_for_thresholds": len(material.choose),
    }  # fmt: skip
    (out / "model.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def main(argv: list[str]) -> int:
    """Entry point."""
    made = argparse.ArgumentParser(prog="python -m trials.guard.train", description=__doc__)
    made.add_argument("--out", type=Path, default=FOLDER, help="folder of weights.npz and model.json")
    made.add_argument("--data", type=Path, default=data_folder(), help="folder of the sets (default: %(default)s)")
    options = made.parse_args(argv)
    material = gather(options.data)
    model = learned(material)
    write(model, material, options.out)
    print(f"{len(material.labels)} texts; flag from {model.flag:.3f}, degrade from {model.degrade:.3f}; {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What it means to apply an experiment beside those that are there; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ab.experiment import Experiment
from ab.running.layers import free, mixed_units, rivals


def changes(old: Experiment, new: Experiment) -> list[str]:
    """Keys that differ of those that stay as they are as long as an experiment counts: all others make a new phase."""
    pairs = {
        "unit": (old.unit, new.unit),
        "seed": (old.hash_seed, new.hash_seed),
        "when": (old.when, new.when),
        "layer": (old.layer, new.layer),
        "switches": (list(old.switches), list(new.switches)),
    }
    return [key for key, (before, after) in pairs.items() if before != after]


def warnings(new: Experiment, aliases: Mapping[str, str], counted: Collection[str] = ()) -> list[str]:
    """What an experimenter should know of `new`; `counted`: the KPIs that units have of their own."""
    found = []
    alias = new.when.alias
    if alias is not None and aliases.get(alias) != "auto":
        found.append(f"no request takes part: `router.aliases` has no `{alias}` that stands for `auto`")
    if unknown := [name for name in new.covariates if name not in new.live(counted).covariates]:
        names = ", ".join(f"`{name}`" for name in unknown)
        found.append(
            f"`results` judges without the covariate {names}, which `experiment analyse` takes of rows; "
            "what is kept of units is such as `click_before`, with the name of any KPI that is counted by user"
        )
    return found


def refusal(new: Experiment, running: Sequence[Experiment]) -> str | None:
    """Why `new` cannot hold beside those that run, with what is free of its layer; None: it can."""
    if others := rivals(new, running):
        names = ", ".join(f"`{one.id}`" for one in others)
        left = free(new, running)
        share = sum(high - low for low, high in left)
        ranges = ", ".join(f"[{low:g}, {high:g}]" for low, high in left)
        full = f"no unit of it is free: give {names} a smaller `namespace`, or stop it"
        rest = f"{share:.1%} of its units are free: give `namespace: {ranges}`" if left else full
        return f"it would take units of {names} in the layer `{new.layer}`; {rest}"
    if others := mixed_units(new, running):
        names = ", ".join(f"`{one.id}` (unit: {one.unit})" for one in others)
        return f"its unit is the {new.unit}, and it would hold of the same requests as {names}: give it the same unit"
    return None

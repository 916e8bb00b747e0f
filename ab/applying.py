"""What it means to apply an experiment beside those that are there; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ab.experiment import Experiment
from ab.running.layers import overlap

RECORDED = ("primary", "secondary", "guardrails", "stop")
"""Parts of the file that nothing acts on yet."""


def changes(old: Experiment, new: Experiment) -> list[str]:
    """Keys that differ of those that stay as they are as long as an experiment counts: all others make a new phase."""
    pairs = {
        "unit": (old.unit, new.unit),
        "seed": (old.hash_seed, new.hash_seed),
        "when": (old.when, new.when),
        "layer": (old.layer, new.layer),
    }
    return [key for key, (before, after) in pairs.items() if before != after]


def warnings(new: Experiment, active: Sequence[Experiment], aliases: Mapping[str, str]) -> list[str]:
    """What an experimenter should know of `new`; `active` holds it, too, in the order in which the first match wins."""
    found = []
    rivals = [one.id for one in active if one.id == new.id or overlap(one.when, new.when)]
    place = rivals.index(new.id)
    found += [f"requests that match both go to `{name}`, not to this one" for name in rivals[:place]]
    found += [f"requests that match both go to this one, not to `{name}`" for name in rivals[place + 1 :]]
    alias = new.when.alias
    if alias is not None and aliases.get(alias) != "auto":
        found.append(f"no request takes part: `router.aliases` has no `{alias}` that stands for `auto`")
    given = [key for key in RECORDED if getattr(new, key) != Experiment.model_fields[key].get_default()]
    if given:
        found.append(f"recorded, not acted on in this release: {', '.join(given)}")
    return found

"""Targets of texts that the parent gives itself: its own distribution, computed here, so that no engine is asked.

Where student and teacher say the same, token for token, what replay has to hold is what the student does now; its own
distribution says that best (Rehearsal by self-distillation: Li and Hoiem 2016, "Learning without Forgetting").
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feedback.privacy.vault import Vault
from online_distill.models import by_length
from online_distill.progress import Progress
from online_distill.teacher.scorer import Scorer
from online_distill.teacher.targets import SHARDS, Scored, load_shard, save_shard
from online_distill.teacher.texts import Text

SHARD = SHARDS.replace("*", "known")
"""Sorts behind the numbered ones, whose texts are the round's hard ones, too."""
BATCH_TOKENS = 4096


def score_known(
    folder: Path, parent: Scorer, texts: Sequence[Text], progress: Progress, vault: Vault | None = None
) -> set[str]:
    """Score the texts into one shard of `folder`; returns the keys of those whose every token is the parent's choice.

    The others are left to the teacher. A shard that is there is taken as it is: a killed stage begins it again.
    """
    if (folder / SHARD).is_file():
        return {item.key for item in load_shard(folder / SHARD, vault)}
    found, done = dict[int, Scored](), 0
    for batch in by_length([len(text.encoded.tokens) for text in texts], BATCH_TOKENS):
        for index, top in zip(batch, parent.score([texts[i].encoded for i in batch]), strict=True):
            text, tokens = texts[index], np.array(texts[index].encoded.tokens, np.int32)
            if (top.ids[:, 0] == tokens[text.encoded.start :]).all():
                found[index] = text.scored(text.encoded, top)
        done += len(batch)
        progress(done, len(texts), "replay that the parent knows")
    if found:
        save_shard(folder / SHARD, [found[index] for index in sorted(found)], vault)
    return {item.key for item in found.values()}

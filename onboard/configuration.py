"""The text of the configuration that `understudy init` writes: what follows from the models, with comments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from onboard.chosen import ChosenApi, ChosenVersion, Teacher, shares_tokenizer
from serving.engine.config import EnginesConfig
from serving.engine.sizes import MIB, EngineSize, engine_size
from understudy.state import DEFAULT_STATE

LONGEST = 4096
"""Tokens of a text that is served, where the models allow so many."""
AT_ONCE = 8
"""Texts of that length that the key-value cache holds."""

APART = (
    "the two differ in tokenizer or chat template: the student learns by the teacher's text alone, since soft targets "
    "need one vocabulary; `understudy status` says so"
)
BY_API = "the API is asked at the start what it gives; `understudy status` says what the student learns from"


def told(teacher: Teacher, student: ChosenVersion) -> str:
    """What whoever configures these two should know of how the one learns from the other; empty: nothing."""
    if isinstance(teacher, ChosenApi):
        return BY_API
    return "" if shares_tokenizer(teacher, student) else APART


def written(teacher: Teacher, student: ChosenVersion, share: float, state: Path) -> str:
    """The file's text."""
    served = [one for one in (teacher, student) if isinstance(one, ChosenVersion)]
    length = min([LONGEST, *(one.shape.longest or LONGEST for one in served)])
    plain = EnginesConfig(max_model_len=length)
    token = max(engine_size(one.shape, plain, forked=True).token for one in served)
    cache = max(64 * MIB, -(-token * length * AT_ONCE // MIB) * MIB)
    engines = plain.model_copy(update={"kv_cache_bytes": cache})
    sizes = {one.name: engine_size(one.shape, engines, forked=True) for one in served}
    needed = sum(size.total for size in sizes.values()) + sizes[student.name].total
    control = sorted({token for one in served for token in one.control})
    note = told(teacher, student)
    return TEXT.format(
        teacher=teacher.said, student=student.said, note=f"# {note}\n" if note else "",
        api=_api(teacher) if isinstance(teacher, ChosenApi) else "",
        first_teacher="" if isinstance(teacher, ChosenApi) else f"  first_teacher: {teacher.name}\n",
        v=student.name, unfit=UNFIT if student.manifest.unfit else "", slots=" and ".join((*sizes, "a slot")),
        sizes=_sizes(sizes), state="" if state == DEFAULT_STATE else f" --state {state}", cache=cache, length=length,
        at_once=AT_ONCE, needed=needed // MIB, share=f"{share:g}", rest=f"{round(1 - share, 6):g}",
        control="\n".join(f"    - {json.dumps(token, ensure_ascii=False)}" for token in control) or "    []",
    )  # fmt: skip


TEXT = """\
# Written by `understudy init`. Run it:      understudy up --config THIS_FILE{state}
#   teacher  {teacher}
#   student  {student}
{note}# `understudy config schema` describes every key; what is left out here has its default.

engines:
{api}  device: auto              # a GPU where there is one, else the CPU
  dtype: auto               # on a CPU float32, which runs everywhere; bfloat16 takes half the memory
  max_model_len: {length}       # tokens of prompt and reply together
  kv_cache_bytes: {cache}   # of each engine: {at_once} texts of that length at once
{sizes}

gateway:
  host: 127.0.0.1           # 0.0.0.0 lets other machines in, with keys of `understudy keys create`
  port: 8000                # your applications call http://127.0.0.1:8000/v1
  control_tokens:           # what marks turns in the chat templates, and is split inside messages
{control}

control:
  port: 8001                # status, rollback, promote; token in the state directory, run/admin.token

router:
  default: {{teacher: {rest}, student: {share}}}   # who answers `model: auto`; the student learns at any share

{unfit}rollout:
{first_teacher}  first_student: {v}
  steps:                    # a better student gets this share once so many of its replies went well
    - {{share: 0.05, min_exposures: 100}}
    - {{share: 0.25, min_exposures: 300}}
    - {{share: 1.0, min_exposures: 300}}

up:
  application: null         # your own applications send the traffic
  min_memory_mib: {needed}      # {slots} for the student's successor
  ready_seconds: 600        # until every engine has answered once
"""


UNFIT = """\
gate:                       # the student is unfit: it learns from copies and answers nobody, until on held-out prompts
  fit_agreement: 0.85       # it says so large a share of the teacher's tokens
  fit_rows: 100             # on so many of them at least

trainer:                    # for a cut alone, as those of docs/benchmarks.md learned; take this out once it is fit:
  blend: 1.0                # nothing that it says is worth keeping...
  replay_share: 0.0         # ...nor is there anything to forget, as there is in a student that serves
  learning_rate: 5.0e-4     # for some hundred million weights; more of them want less

"""


def _api(teacher: ChosenApi) -> str:
    """The lines of a teacher that is an API; its key itself stands nowhere."""
    engine = teacher.engine
    key, cap = engine.api_key_env, engine.daily_tokens
    lines = [
        "  teacher:",
        f"    url: {json.dumps(engine.url)}",
        f"    model: {json.dumps(engine.model)}",
        f"    api_key_env: {key}   # export {key}=KEY before the start" if key else "    # api_key_env: TEACHER_KEY",
        f"    daily_tokens: {cap}   # at so many learning stops until midnight (UTC), serving goes on"
        if cap
        else "    # daily_tokens: 2000000   # at so many learning stops until midnight (UTC), serving goes on",
    ]
    return "\n".join(lines) + "\n"


def _sizes(sizes: Mapping[str, EngineSize]) -> str:
    return "\n".join(
        f"  # {version}: {size.total // MIB} MiB an engine (weights {size.weights // MIB}, once more to load "
        f"{size.loading // MIB}, cache {size.kv_cache // MIB}, engine {size.overhead // MIB})"
        for version, size in sizes.items()
    )

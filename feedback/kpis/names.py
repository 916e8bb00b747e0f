"""Names of KPIs: what clients may send as feedback, and what the workers compute of each exchange."""

from __future__ import annotations

from feedback.kpis.config import KpisConfig

FEEDBACK = (
    "click", "human_review_pass", "takeover", "first_response_correct", "rating", "session_end",
)  # fmt: skip
"""Accepted by /v1/feedback beside the names of `kpis.declared`."""
APPEAL = "false_positive"
"""Accepted as well: the client says that a request which was degraded or flagged was harmless; no figure."""
EXTERNAL_TOKENS = "external_tokens"
"""What a gateway says of an answer of a teacher that somebody else runs: the tokens that it cost; no figure."""
COMPUTED = (
    "requests", "abnormal_termination", "completion_tokens",
    "latency", "latency_p50", "latency_p99", "ttft", "ttft_p50", "ttft_p99", "flagged", "degraded_replies",
)  # fmt: skip
"""Of `feedback.kpis.effects`: mean of each exchange's value, or a quantile of it. Latency and ttft in seconds."""
EXACT, FACTS = "exact", "facts"
"""Of a shadow pair, 0 or 1: the texts are the same, width, case and white space aside; they state the same facts."""
OLD, NEW = "old", "new"
"""Sides of a canary: users of the version that answers without it, and of the candidate."""
FORMER = {"agreement": "similarity"}
"""Names under which older versions counted a KPI, and its name now."""


def counted(config: KpisConfig) -> tuple[str, ...]:
    """Every name that an experiment may use."""
    return (*FEEDBACK, *COMPUTED, *config.declared)


def trial(candidate: str, step: int, *, new: bool, copies: bool = False) -> str:
    """Name of one side of a canary's step, such as `v3:0:new`; `v3:0.copies:old` of what copies of exchanges say."""
    return f"{candidate}:{step}{'.copies' if copies else ''}:{NEW if new else OLD}"

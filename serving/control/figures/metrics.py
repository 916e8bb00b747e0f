"""The metrics of the control plane by name. Of the whole system, so that one page says what is live and what waits."""

from __future__ import annotations

from understudy.telemetry.metrics import Metric

LIVE = Metric("understudy_live_version_info", "gauge", "Always 1; the version that each arm means, and the candidate.",
              ("arm", "version"))  # fmt: skip
SHARE = Metric("understudy_candidate_share_ratio", "gauge", "Share of units that the candidate answers; 0 without one.")
SLOT_READY = Metric("understudy_slot_ready", "gauge", "1 while the slot serves the version that is wanted of it.",
                    ("slot",))  # fmt: skip
GATEWAYS = Metric("understudy_gateways", "gauge", "Gateways that report, each worker of one for itself.")
FROZEN = Metric("understudy_frozen", "gauge", "1 while an operator has frozen it.", ("what",))
POOL = Metric("understudy_pool_samples", "gauge", "Samples that rounds can draw from: hard ones, and anchors.",
              ("of",))  # fmt: skip
POOL_KINDS = Metric("understudy_pool_hard_samples", "gauge", "Hard samples by kind; one may be of several.", ("kind",))
POOL_CHANGES = Metric("understudy_pool_changes_total", "counter", "What became of samples that came to the pool.",
                      ("change",))  # fmt: skip
ROUNDS = Metric("understudy_rounds_ended_total", "counter", "Rounds of distillation that are over, by how they ended.",
                ("outcome",))  # fmt: skip
STAGE = Metric("understudy_round_stage", "gauge", "1 for the stage at which the round under way is.", ("stage",))
PROGRESS = Metric("understudy_round_stage_progress_ratio", "gauge", "How far that stage is; 0 where nothing says.")
STAGE_SECONDS = Metric("understudy_round_stage_seconds", "gauge", "Seconds that each stage of the latest round took.",
                       ("stage",))  # fmt: skip
GATE_EXACT = Metric("understudy_gate_exact_ratio", "gauge", "Share of the teacher's replies to held-out prompts that"
                    " are the student's, too, token for token, as the last gate judged it; NaN before the first.",
                    ("slice", "of"))  # fmt: skip
GATE_FACTS = Metric("understudy_gate_facts_ratio", "gauge", "Share of replies to held-out prompts with every number,"
                    " date, name, code and amount of the teacher's, as the last gate judged it; NaN before the first.",
                    ("slice", "of"))  # fmt: skip
GATE = Metric("understudy_gate_agreement_ratio", "gauge", "Share of the teacher's tokens on held-out prompts that are"
              " the student's, too, as the last gate judged it; NaN before the first. It hides a single wrong fact:"
              " understudy_gate_facts_ratio does not.", ("slice", "of"))  # fmt: skip
COMPLIED = Metric("understudy_gate_complied_prompts", "gauge", "Prompts that ought to be refused and were complied"
                  " with, as the last gate saw it; NaN where nobody was asked.", ("of",))  # fmt: skip
FALL = Metric("understudy_rollback_similarity_drop_ratio", "gauge", "By how much live similarity to the teacher fell"
              " with the last rollback, beyond two standard errors; else 0.")  # fmt: skip
LAG = Metric("understudy_bus_lag_events", "gauge", "Events on the bus that workers have yet to consume.", ("topic",))
WAITED = Metric("understudy_bus_oldest_seconds", "gauge", "How long the oldest of them has waited.", ("topic",))
GONE = Metric("understudy_bus_lost_total", "counter", "Events that never came, by gaps in their numbers.")
ROOM = Metric("understudy_state_free_bytes", "gauge", "Room that is left on the volume of the state directory.")
VOLUME = Metric("understudy_state_volume_bytes", "gauge", "Size of that volume.")
SPENT = Metric("understudy_teacher_tokens_today", "gauge", "Tokens of today (UTC) that a teacher of somebody else was"
               " asked for.", ("purpose",))  # fmt: skip
METRICS = (
    LIVE, SHARE, SLOT_READY, GATEWAYS, FROZEN, POOL, POOL_KINDS, POOL_CHANGES, ROUNDS, STAGE, PROGRESS, STAGE_SECONDS,
    GATE_EXACT, GATE_FACTS, GATE, COMPLIED, FALL, LAG, WAITED, GONE, ROOM, VOLUME, SPENT,
)  # fmt: skip

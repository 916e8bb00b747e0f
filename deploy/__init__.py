"""Registry, manifests and signatures, routing document, rounds, gate, rollout, rollback and audit.

May import `feedback`, `ab` and `understudy`. Decisions are pure; never torch.
"""

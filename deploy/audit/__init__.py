"""The audit log, its chain of hashes and its signed heads; `deploy.witness` compares it with heads kept elsewhere."""

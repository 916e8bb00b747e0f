"""The degraded reply: a pre-built OpenAI answer of the request's own shape. No text of the user, no model, no I/O."""

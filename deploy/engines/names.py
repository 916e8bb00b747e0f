"""What vLLM and the agents call things: paths, headers, metrics and variables that more than one module uses.

Constants alone, and no imports: the middleware reads them inside the engine process.
"""

from __future__ import annotations

# Below the base of the API.
CHAT = "/chat/completions"
COMPLETIONS = "/completions"
EMBEDDINGS = "/embeddings"
MODELS = "/models"

API = "/v1"
"""Base of the API on a server that has it nowhere else."""

# Beside the API.
HEALTH = "/health"
METRICS = "/metrics"
TOKENIZE = "/tokenize"

# Routes of an engine's agent.
STATE = "/understudy/state"
CLOSE = "/understudy/close"
OPEN = "/understudy/open"
LOAD = "/understudy/load"

RUNNING = "vllm:num_requests_running"
WAITING = "vllm:num_requests_waiting"

VERSION_HEADER = "x-understudy-version"
"""The version that a request means; an engine of ours answers 409 where it holds another."""
LOADED_HEADER = "x-understudy-loaded"
"""The version that answered."""

KEY_VARIABLE = "UNDERSTUDY_ENGINE_KEY"
CONTROL_KEY_VARIABLE = "UNDERSTUDY_ENGINE_CONTROL_KEY"
VERSION_VARIABLE = "UNDERSTUDY_ENGINE_VERSION"
"""The version with which an engine is started."""
HASHES_VARIABLE = "UNDERSTUDY_ENGINE_HASHES"
"""JSON: {file: SHA-256} of the weights with which an engine is started."""

"""Gateway data plane, engine agents, control plane, worker and controller entry points, and `up`.

May import `deploy`, `feedback`, `ab` and `understudy`. Never torch, save the one plugin inside the engine.
"""

"""What runs inside the engine process: middleware, in-place loader, layout of weights.

The middleware is standard library alone; torch is imported in `loader.py` alone.
"""

"""Applications of models that others trained, each a folder that `understudy up --models NAME` starts."""

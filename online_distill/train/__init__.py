"""The student under training: plan, order of steps, optimiser, checkpoints."""

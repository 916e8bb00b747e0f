"""What the guard's model learns from and is judged on: rows and their folds, evasions, the Chinese set, the training.

The sets of third parties are found by UNDERSTUDY_DATA, else ../shared/data; only training and judging need them.
`python -m trials.guard.train` writes the weights of `serving/guard/model/`.
"""

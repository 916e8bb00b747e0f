"""The demo world: dialogue generator, tokenizer, model training and evaluation, demo application.

It may import every package of the product; no package of the product may import it.
"""

"""The redactor as it was before it was made fast: what it finds is what the product must find, span by span.

Nothing here is changed together with the product; a change of what is found changes both, on purpose.
"""

"""Models of one's own: checked, imported as versions, cut into a first student, written into a configuration.

Reads what others made and trusts none of it; what it leaves behind are versions of the registry and a YAML file.
Stands above serving and trainer, needs nothing that runs, and is imported by nothing but tests.
"""

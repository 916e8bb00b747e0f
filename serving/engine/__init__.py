"""The engine layer: slot agents, the fork server, launchers, and what runs inside the vLLM process.

May not import vLLM or torch outside `compat` (on use, inside an engine process) and `inside.loader`.
"""

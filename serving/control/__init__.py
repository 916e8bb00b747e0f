"""The control plane: its HTTP application, token, configuration and the commands that call it.

Decides nothing: `deploy.control.conductor` does. Never torch.
"""

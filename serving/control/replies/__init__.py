"""What the control plane answers, one model for each reply: for its routes, their OpenAPI document and all who ask.

A key that was not set when the reply was made is left out of its JSON; one that was set to None is `null`.
Times are seconds since the epoch unless a name says otherwise. Whoever reads a newer reply ignores what is new in it.
"""

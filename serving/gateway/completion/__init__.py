"""One completion request: check, route, ask, pass on, copy aside."""

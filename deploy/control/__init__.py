"""The controller's loop, operators' acts, experiments applied at run time, and leadership."""

"""Results that may be looked at any day: effects over distinct units, always-valid intervals, and what they decide."""

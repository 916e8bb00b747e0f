"""Child processes of `up`: start, restart, stop, and what a killed `up` leaves."""

"""What `up` shows: figures gathered from the running system, the live view, events in words."""

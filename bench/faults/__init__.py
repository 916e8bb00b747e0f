"""`understudy bench faults`: the way of an event under kills, stops, cut links, a full disk and jumping clocks."""

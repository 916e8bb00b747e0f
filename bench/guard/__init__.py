"""`understudy bench guard`: what the guard catches, what it catches wrongly, how long it takes."""

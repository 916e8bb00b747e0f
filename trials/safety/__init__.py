"""How well the rules of `deploy.life.safety.refusals` agree with labelled replies, which lie beside this."""

"""The guard within the gateway: which texts of a request it reads, whose verdicts hold, whom else it asks."""

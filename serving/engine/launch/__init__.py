"""How an engine process is started, found again, watched and stopped."""

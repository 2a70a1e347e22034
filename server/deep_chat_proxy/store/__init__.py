"""What survives a turn and a restart: threads, files, whose they are."""

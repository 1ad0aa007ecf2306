"""Where a run's reports go: files, always, and the terminal."""

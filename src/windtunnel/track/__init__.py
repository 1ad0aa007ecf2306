"""Where a run's reports go: its own files and the terminal always, and the trackers that were asked for."""

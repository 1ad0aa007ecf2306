"""Whether B really beats A: trials, statistics, verdicts."""

"""Curves and HTML summaries, drawn from run folders alone."""

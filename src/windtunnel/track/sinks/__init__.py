"""Adapters to other people's trackers; each runs in a process of its own, see ``windtunnel.track.relay``."""

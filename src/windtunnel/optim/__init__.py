"""Optimizers, schedules, losses and weight averaging."""

"""Runs augmentation programs in plain torch, on any device, without waiting for it."""

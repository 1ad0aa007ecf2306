"""Predictions, metrics and test-time augmentation."""

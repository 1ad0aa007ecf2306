"""Augmentation of small images: per image, batched, reproducible under any batch size and order."""

"""Reading, caching, splitting and batching images."""

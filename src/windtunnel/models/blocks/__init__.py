"""Building blocks that nest in any order and depth."""

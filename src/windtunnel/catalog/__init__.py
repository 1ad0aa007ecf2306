"""What lies in a runs folder, read on as it grows: rows, curves, sweeps, comparisons, timelines; without torch."""

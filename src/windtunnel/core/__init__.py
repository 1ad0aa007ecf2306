"""What every layer above leans on: random streams, devices, clocks, types."""

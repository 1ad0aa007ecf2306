"""Many runs on the devices at hand: estimates, packing, workers."""

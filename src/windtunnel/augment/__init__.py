"""Per-sample augmentation of whole batches, on the device the images live on."""

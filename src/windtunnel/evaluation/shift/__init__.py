"""What a network loses on images unlike those it was trained on, and guessing that loss without labels."""

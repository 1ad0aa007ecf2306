"""Networks as small composable blocks, and the zoo built from them."""

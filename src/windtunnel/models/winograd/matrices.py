"""The three matrices of F(4x4, 3x3), with the points 0, 1, -1, 2, -2 and infinity.

Source: Lavin & Gray 2015, section 4.3: ``Y = A.T @ [(G @ g @ G.T) * (B.T @ d @ B)] @ A`` for a tile ``d`` of 6x6 inputs
and a filter ``g`` of 3x3.
"""

import numpy as np

OUTPUT_TILE = 4
INPUT_TILE = 6
PRODUCTS = INPUT_TILE**2

INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float64,
)
"""B.T: inputs to factors."""

FILTER = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    np.float64,
)
"""G: weights to factors."""

OUTPUT = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    np.float64,
)
"""A.T: products to outputs."""

"""3x3 convolutions on CPUs with fewer multiplications, after Winograd: F(4x4, 3x3) of Lavin & Gray 2015.

A tile of 4x4 outputs costs 36 multiplications a pair of channels instead of 144.
"""

"""Dense grids: thousands of robots in lockstep on cells, with turning, or in four directions."""

"""What a problem is given: coefficients, conditions on the boundary, and how they enter."""

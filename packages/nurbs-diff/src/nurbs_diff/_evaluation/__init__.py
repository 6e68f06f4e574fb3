"""Points of splines: basis functions and their products with control points."""

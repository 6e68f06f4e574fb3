"""What boxes and simplices have in common: protocols, nodal values, differentiable linear maps."""

"""The problems: Poisson, elasticity, heat, nonlinear energies."""

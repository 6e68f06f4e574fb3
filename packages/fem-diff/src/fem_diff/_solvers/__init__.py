"""Linear and nonlinear solvers."""

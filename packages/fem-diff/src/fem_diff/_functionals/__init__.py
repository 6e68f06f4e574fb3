"""Numbers made of a function: energies to train with, errors."""

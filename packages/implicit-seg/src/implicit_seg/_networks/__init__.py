"""Networks that predict the coefficients of a spline, and the plain U-Net."""

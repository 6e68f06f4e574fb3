"""The same shape on other knots and of other degree."""

"""The shape that an implicit spline describes: its boundary, measures, offsets and files."""

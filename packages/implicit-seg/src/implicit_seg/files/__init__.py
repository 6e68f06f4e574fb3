"""Files: images and masks in; masks, contours and meshes out. Written whole or not at all."""

from implicit_seg.files._contours import write_geojson, write_svg
from implicit_seg.files._read import read_image
from implicit_seg.files._stl import write_stl
from implicit_seg.files._write import write_mask

__all__ = ["read_image", "write_geojson", "write_mask", "write_stl", "write_svg"]

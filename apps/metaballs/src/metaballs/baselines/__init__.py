"""The methods the paper compares itself with, each in one module."""

"""Reads address 0: a true segmentation fault."""
import ctypes

ctypes.string_at(0)

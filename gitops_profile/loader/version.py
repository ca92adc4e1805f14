"""The version of what this room makes of files."""

LOADER_VERSION = 6
"""Raised when the same files would make other documents: then a log that was written before is loaded anew."""

"""Fuzzing: what comes from the wire gives a value or SIPSyntaxError, and the notifier never loses its way.

`test_fuzz.py` runs every target for a moment; `python -m tests.fuzz --seconds 600` for as long as one likes.
"""

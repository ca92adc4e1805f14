"""Subscribers, and an edge proxy, that we did not write: `python -m tests.interop` prints who gets on with us."""

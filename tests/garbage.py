"""What is left to the garbage collector, whose pauses are everybody's: of a flood of refusals it made 50 ms in 100."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


class Left:
    """How many objects it was."""

    objects = -1


@contextmanager
def garbage() -> Iterator[Left]:
    """Counts what only the collector can free of what was made within it."""
    left = Left()
    gc.collect()
    gc.disable()
    try:
        yield left
        left.objects = gc.collect()
    finally:
        gc.enable()

"""What holds for all tests."""

from hypothesis import settings

# How long an example takes is the machine's business: a test is never timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

"""What can be wrong with a source, and what follows: stop, reject, or wait."""


class NotARepository(Exception):
    """The folder is no git repository: somebody must name another one."""


class PathNotFound(Exception):
    """The revision has no such folder: its author must act."""


class SourceUnavailable(Exception):
    """Git could not answer now: wait and try again."""


class VerificationUnavailable(SourceUnavailable):
    """Whose a signature is could not be found out now, whatever git has: wait and try again."""


class KeysUnusable(Exception):
    """What signatures are checked with is not there or of no use; the message is one line and says what to do."""

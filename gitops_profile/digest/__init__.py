"""Digest authentication for SIP and HTTP alike (RFC 7616, RFC 8760, RFC 3261 §22): challenge, check and answer.

Pure: `now` and random bytes come in as arguments. A clear password is seen by `a1` alone; everything else works on the
hash A1, and no `repr` shows one.
"""

from .algorithms import ALGORITHMS, a1, offer
from .authenticator import DigestAuthenticator, Lookup, Outcome, Reason, Verdict
from .challenge import Challenge, read_challenges
from .client import answer
from .credentials import Credentials, choose_credentials
from .generations import MAX_GENERATIONS, add_generation, generations_of, read_generations
from .htdigest import CredentialStore, LineProblem, remove_user, replace_user
from .nonce import RUN_BYTES
from .parameters import DigestSyntaxError
from .target import same_target
from .throttle import Throttle

__all__ = [
    "ALGORITHMS",
    "MAX_GENERATIONS",
    "RUN_BYTES",
    "Challenge",
    "CredentialStore",
    "Credentials",
    "DigestAuthenticator",
    "DigestSyntaxError",
    "LineProblem",
    "Lookup",
    "Outcome",
    "Reason",
    "Throttle",
    "Verdict",
    "a1",
    "add_generation",
    "answer",
    "choose_credentials",
    "generations_of",
    "offer",
    "read_challenges",
    "read_generations",
    "remove_user",
    "replace_user",
    "same_target",
]

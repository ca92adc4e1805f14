"""What git says when it fails, as one line for an operator: what is wrong, and what to do about it."""

import os
import pwd
import re
from enum import Enum, auto
from pathlib import Path

_WIDTH = 200
_ALLOW = re.compile(r"git config --global --add safe\.directory .*[^\s']")
"""The command in git's refusal of a repository that belongs to somebody else."""


class Blame(Enum):
    """Where the cause is."""

    REF = auto()
    """The remote answers, and has no such ref."""
    CLONE = auto()
    """The clone may be damaged: it is looked at."""
    WRECK = auto()
    """The clone is damaged for certain: it lacks commits that it once had."""
    FORMAT = auto()
    """The clone has object ids of another kind than the remote: SHA-1, or SHA-256."""
    LOCKS = auto()
    """A command that was killed has left its lock behind."""
    SHALLOW = auto()
    """The remote gives nothing but its whole history."""
    REMOTE = auto()
    """The remote, the way to it, or the settings."""
    UNKNOWN = auto()


_NO_LOCK = "a lock file was left behind in the clone; it is taken away"
_TOO_LARGE = "the repository is larger than limits.repository_bytes allows"
_TOKEN = "the remote asks for a token, or refuses the one it got; see repository.token_file and repository.username"
_NOT_FOUND = "the remote knows no such repository, or hides it from this token; look at the URL and the token's rights"
_HOST_KEY = "the host key of the remote is unknown or another one; if it is right, add it to repository.known_hosts"
_CERTIFICATE = "the certificate of the remote is not trusted; name its CA's PEM file in repository.ca_file"
_UNREACHED = "the remote cannot be reached, or does not answer in time"
_NO_NAME = "the name of the remote's host cannot be resolved"
NO_GIT = "the remote does not talk git; is the URL the one to clone from?"
_NOTHING_THERE = "the remote has no repository there, or does not export it; look at the path in the URL"
_UNSOUND = "the remote has an object that is not sound (git fsck says more); repair its history"
_BROKE_OFF = "the remote broke off half-way"
_DAMAGED = "the clone is damaged"
_FORMAT = "the remote has object ids of another kind than the clone"

# The first that matches counts. Git's words are those of LC_ALL=C; ssh's and curl's are the same everywhere.
_KNOWN: tuple[tuple[Blame, str, str], ...] = (
    (
        Blame.FORMAT,
        _FORMAT,
        r"^fatal: (mismatched algorithms: |Server does not support this repository's object format)",
    ),
    (Blame.REF, "", r"couldn't find remote ref|no such remote ref|not our ref"),
    (Blame.LOCKS, _NO_LOCK, r"Unable to create '.*\.lock'"),
    (Blame.REMOTE, _TOO_LARGE, r"File too large|signal 25"),
    (Blame.REMOTE, "the objects of the remote need too much memory", r"Out of memory|[Cc]annot allocate memory"),
    (Blame.REMOTE, "no room is left on the disk of the state folder", r"No space left on device"),
    (Blame.SHALLOW, "", r"dumb http transport does not support|does not support (shallow|--)"),
    (Blame.REMOTE, _TOKEN, r"could not read (Username|Password)|Authentication failed|returned error: 401"),
    (Blame.REMOTE, "the token may not read this repository", r"returned error: 403"),
    (Blame.REMOTE, _NOT_FOUND, r"returned error: 404|repository '.*' not found|Repository not found"),
    (Blame.REMOTE, "the remote has moved; name the new URL of the repository", r"returned error: 30\d"),
    (Blame.REMOTE, "the remote is in trouble itself", r"returned error: \d+"),
    (Blame.REMOTE, _HOST_KEY, r"Host key verification failed|host key is known|HOST IDENTIFICATION HAS CHANGED"),
    (Blame.REMOTE, "others can read repository.ssh_key; chmod 600 it", r"UNPROTECTED PRIVATE KEY|bad permissions"),
    (Blame.REMOTE, "repository.ssh_key cannot be read", r"Identity file .* not accessible"),
    (Blame.REMOTE, "the remote does not accept the key; see repository.ssh_key", r"Permission denied \("),
    (Blame.REMOTE, _CERTIFICATE, r"SSL certificate problem|certificate verif|no alternative certificate"),
    (Blame.REMOTE, _CERTIFICATE, r"server verification failed|error setting certificate"),
    (Blame.REMOTE, _NO_NAME, r"[Cc]ould not resolve host|Name or service not known|unable to look up"),
    (Blame.REMOTE, _NO_NAME, r"Temporary failure in name resolution"),
    (Blame.REMOTE, _UNREACHED, r"Connection refused|Failed to connect|Couldn't connect|unable to connect"),
    (Blame.REMOTE, _UNREACHED, r"timed out|No route to host|Network is unreachable|Operation too slow"),
    (Blame.REMOTE, "the remote leads to a protocol that is not allowed", r"transport '.*' not allowed"),
    (Blame.REMOTE, _BROKE_OFF, r"bad pack header"),
    (Blame.REMOTE, NO_GIT, r"is this a git repository|bad line length|protocol error|unsupported protocol"),
    (Blame.REMOTE, NO_GIT, r"invalid server response|unknown response|unexpected (line|ack)"),
    (Blame.REMOTE, NO_GIT, r"expected (service|flush|acknowledg|shallow|'packfile')"),
    (Blame.REMOTE, _NOTHING_THERE, r"access denied or repository not exported|appear to be a git repository"),
    (Blame.REMOTE, "it belongs to somebody else; see safe.directory of git", r"dubious ownership"),
    (Blame.WRECK, _DAMAGED, r"error in object: unshallow|no shallow found"),
    (Blame.CLONE, _DAMAGED, r"object file .* is empty|loose object .* is corrupt|inflate: data stream error"),
    (Blame.CLONE, _DAMAGED, r"packfile .* (cannot be accessed|does not match|is far too short|is not a GIT)"),
    (Blame.CLONE, _DAMAGED, r"index file .* is (too small|corrupt)|bad config line|not a git repository: "),
    (Blame.CLONE, _DAMAGED, r"is not a valid reference|bad (object|tree|ref)|unable to read (tree|sha1)"),
    (Blame.CLONE, _DAMAGED, r"Could not read [0-9a-f]{40}|unable to parse commit|[Ff]ailed to traverse parents"),
    (Blame.CLONE, _DAMAGED, r"missing (blob|tree|commit)|did not send all necessary objects|unresolved delta"),
    (Blame.REMOTE, _UNSOUND, r"fsck error|error in object|object .*: [a-zA-Z]+: "),
    (Blame.REMOTE, _BROKE_OFF, r"early EOF|hung up unexpectedly|RPC failed|unexpected disconnect|index-pack"),
    (Blame.REMOTE, _BROKE_OFF, r"fetch-pack: |Connection (closed|reset)|SSL_ERROR|GnuTLS"),
)


def talked_git(traced: str) -> bool:
    """Whether the remote answered in git's protocol, by what GIT_TRACE_PACKET wrote.

    Where it did not, git takes any answer at all for the list of refs of a server that has nothing but files: a page
    that asks people to sign in would be a repository without refs.
    """
    return re.search(r"packet: .*< (version \d|# service=|[0-9a-f]{40})", traced) is not None


def explain(said: str) -> tuple[Blame, str]:
    """Where the cause is, and a line about it that ends in what git said. `said` may come from a hostile remote."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("remote:")]
    for blame, line, pattern in _KNOWN:
        for quoted in lines:
            if re.search(pattern, quoted):
                return blame, f"{line} ({shown(quoted)})" if line else shown(quoted)
    return Blame.UNKNOWN, shown(lines[-1] if lines else "git said nothing")


def shown(line: str) -> str:
    """One line of somebody else's that may be logged: short, and without control characters."""
    text = re.sub(r"^(fatal|error|warning): ", "", line.strip())
    return "".join(c if c.isprintable() else "?" for c in text)[:_WIDTH]


def refusal(location: Path, stderr: str, said: str) -> str:
    """Why git does not read a repository, with what to do about it."""
    allow = _ALLOW.search(stderr)
    if allow is None:
        return f"git cannot read {location}: {said}"
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = f"user {os.geteuid()}"  # as in a container
    return f"{location} belongs to another user, and git refuses to read it; to allow it, as {user}: {allow[0]}"

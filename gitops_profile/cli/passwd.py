"""`passwd`: the file of digest credentials, in which no password stands, only hashes of it."""

import secrets
import sys
import unicodedata
import warnings
from getpass import GetPassWarning, getpass
from pathlib import Path
from typing import Annotated

import typer

from gitops_profile.digest import ALGORITHMS, CredentialStore, a1, remove_user, replace_user

from .options import Output
from .output import PROBLEM, Format, emit_json, fail, say
from .rewrite import RewriteError, rewriting

MAX_PASSWORD_BYTES = 1024
GENERATED_LENGTH = 22
# 56 letters and digits that nobody mixes up on a label or a phone's screen, 127 bits in 22 of them; nothing that a
# template or a shell would have to escape.
GENERATED_FROM = "23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"


def passwd(
    file: Annotated[Path, typer.Argument(help="the file of credentials; made when it is not there", metavar="FILE")],
    user: Annotated[str, typer.Argument(help="alice@example.com, or alice with --realm", metavar="USER@DOMAIN")],
    realm: Annotated[str | None, typer.Option("--realm", help="by default the domain of the user")] = None,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            "--algorithm",
            help="MD5, SHA-256 or SHA-512-256; may be repeated. By default those that the user has, else MD5",
        ),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="take the user out")] = False,
    generate: Annotated[bool, typer.Option("--generate", help="make a password and print it, once")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Set a password in a file of digest credentials: asked for twice, or one line of standard input in a pipe."""
    name, in_realm = _who(user, realm)
    asked_for = _algorithms(algorithm or [])
    if delete and generate:
        fail("--delete and --generate exclude each other")
    # Before the file is locked: people take their time.
    password = None if delete else _generated() if generate else _asked(f"{name}, realm {in_realm}")
    try:
        with rewriting(file, must_exist=delete) as rewrite:
            before = CredentialStore.parse(rewrite.text)
            had = before.lookup(name, in_realm)
            if password is None:
                algorithms = tuple(a for a in had if not asked_for or a in asked_for)
                text = remove_user(rewrite.text, name, in_realm, asked_for or None)
            else:
                algorithms = asked_for or tuple(a for a in ALGORITHMS if a in had) or ("MD5",)
                hashes = {a: a1(a, name, in_realm, password) for a in algorithms}
                text = replace_user(rewrite.text, name, in_realm, hashes)
            if text != rewrite.text:
                rewrite.save(text)
    except (RewriteError, ValueError) as error:
        fail(f"{file}: {error}")
    for problem in before.problems:
        sys.stderr.write(f"{file}:{problem.line}: {problem.message} (left as it is)\n")
    if delete and not algorithms:
        fail(f"{file}: no {name} in realm {in_realm}", PROBLEM)
    _report(
        file,
        name,
        in_realm,
        algorithms,
        "deleted" if delete else "changed" if had else "added",
        output,
        password if generate else None,
    )


def _report(
    file: Path, user: str, realm: str, algorithms: tuple[str, ...], action: str, output: Format, password: str | None
) -> None:
    """What was done. A password is given only when it was made here, on standard output and nowhere else."""
    if output is Format.JSON:
        said: dict[str, object] = {"file": str(file), "user": user, "realm": realm}
        said |= {"algorithms": list(algorithms), "action": action}
        emit_json(said if password is None else said | {"password": password})
        return
    line = f"{file}: {action} {user}, realm {realm} ({', '.join(algorithms)})"
    if password is None:
        say(line)
    else:
        say(password)
        sys.stderr.write(line + "\n")


def _who(user: str, realm: str | None) -> tuple[str, str]:
    """User name and realm, in the form that the hash is made of."""
    name, at, domain = user.removeprefix("sip:").removeprefix("sips:").rpartition("@")
    if not at:
        name = domain
        if realm is None:
            fail(f"{user!r}: write it as USER@DOMAIN, or give --realm")
    in_realm = realm if realm is not None else domain.lower()
    name, in_realm = (unicodedata.normalize("NFC", text) for text in (name, in_realm))  # RFC 7616 §4
    try:
        replace_user("", name, in_realm, {})
    except ValueError as error:
        fail(f"{user!r}: {error}")
    return name, in_realm


def _algorithms(names: list[str]) -> tuple[str, ...]:
    """Each once, spelled as in the standards."""
    known = {name.lower(): name for name in ALGORITHMS}
    for name in names:
        if name.lower() not in known:
            fail(f"--algorithm {name!r}: one of {', '.join(ALGORITHMS)}")
    return tuple(dict.fromkeys(known[name.lower()] for name in names))


def _generated() -> str:
    return "".join(secrets.choice(GENERATED_FROM) for _ in range(GENERATED_LENGTH))


def _asked(whose: str) -> str:
    """The password, from the terminal without an echo or from a pipe; ends the command when there is none."""
    if sys.stdin is not None and sys.stdin.isatty():
        password = _typed(whose)
    else:
        password = _piped()
    if not password:
        fail("no password was given, and nothing was changed")
    if len(password) > MAX_PASSWORD_BYTES or any(unicodedata.category(letter) == "Cc" for letter in password):
        fail(f"a password has at most {MAX_PASSWORD_BYTES} characters, and no control characters")
    return unicodedata.normalize("NFC", password)  # RFC 7616 §4


def _typed(whose: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)  # better no password than one on the screen
            first = getpass(f"Password for {whose}: ")
            if getpass("Again: ") != first:
                fail("the two are not the same, and nothing was changed")
    except (EOFError, KeyboardInterrupt):
        fail("no password was given, and nothing was changed")
    except (GetPassWarning, UnicodeError):
        fail("this terminal cannot be asked for a password; pipe it in instead")
    return first


def _piped() -> str:
    """One line of standard input; a further line is somebody's mistake."""
    data = b"" if sys.stdin is None else sys.stdin.buffer.read(MAX_PASSWORD_BYTES + 3)
    line, _, rest = data.partition(b"\n")
    if rest:
        fail("standard input has more than one line; the password is one")
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        fail("the password on standard input is not in UTF-8")

"""`passwd`: the file of digest credentials, in which no password stands, only hashes of it."""

import secrets
import sys
import unicodedata
import warnings
from getpass import GetPassWarning, getpass
from pathlib import Path
from typing import Annotated

import typer

from gitops_profile.config import ProvisioningSettings
from gitops_profile.digest import (
    ALGORITHMS,
    CredentialStore,
    a1,
    add_generation,
    generations_of,
    read_generations,
    remove_user,
    replace_user,
)
from gitops_profile.presentity import mac_of

from .options import Output
from .output import PROBLEM, Format, emit_json, fail, say
from .rewrite import RewriteError, rewriting

MAX_PASSWORD_BYTES = 1024
DEVICE_REALM: str = ProvisioningSettings.model_fields["realm"].default
GENERATED_LENGTH = 22
# 56 letters and digits that nobody mixes up on a label or a phone's screen, 127 bits in 22 of them; nothing that a
# template or a shell would have to escape.
GENERATED_FROM = "23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"


def passwd(
    file: Annotated[Path, typer.Argument(help="the file of credentials; made when it is not there", metavar="FILE")],
    user: Annotated[
        str | None, typer.Argument(help="alice@example.com, or alice with --realm", metavar="USER@DOMAIN")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="MAC", help="instead of a user: for provisioning.credentials"),
    ] = None,
    realm: Annotated[
        str | None,
        typer.Option("--realm", help=f"by default the domain of the user; of a device {DEVICE_REALM}"),
    ] = None,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            "--algorithm",
            help="MD5, SHA-256 or SHA-512-256; may be repeated. By default those that the user has, else MD5",
        ),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="take the user out")] = False,
    generate: Annotated[bool, typer.Option("--generate", help="make a password and print it, once")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="a device's older passwords stay good, until --retire")] = False,
    retire: Annotated[bool, typer.Option("--retire", help="only the newest password of a device stays good")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Set a password in a file of digest credentials: asked for twice, or one line of standard input in a pipe."""
    if delete + retire + (generate or keep) > 1:
        fail("of --delete, --retire, and --generate or --keep, give one")
    if (keep or retire) and device is None:
        fail("--keep and --retire are for --device: a user has one password")
    name, in_realm = _who_of_the_two(user, device, realm)
    wanted = _algorithms(algorithm or [])
    # Before the file is locked: people take their time.
    password = None if delete or retire else _generated() if generate else _asked(f"{name}, realm {in_realm}")
    try:
        with rewriting(file, must_exist=delete or retire) as rewrite:
            had = generations_of(rewrite.text, name, in_realm)
            if password is not None:
                text = _with_password(rewrite.text, (name, in_realm), password, wanted, keep=keep)
            elif retire:
                text = replace_user(rewrite.text, name, in_realm, *had[:1])
            else:
                text = remove_user(rewrite.text, name, in_realm, wanted or None)
            if text != rewrite.text:
                rewrite.save(text)
    except (RewriteError, ValueError) as error:
        fail(f"{file}: {error}")
    problems = read_generations(rewrite.text)[1] if device is not None else CredentialStore.parse(rewrite.text).problems
    for problem in problems:
        sys.stderr.write(f"{file}:{problem.line}: {problem.message} (left as it is)\n")
    has = generations_of(text, name, in_realm)
    shown = dict.fromkeys(a for one in (had if delete else has) for a in one if not delete or not wanted or a in wanted)
    if not shown:
        fail(f"{file}: no {name} in realm {in_realm}", PROBLEM)
    action = "deleted" if delete else "retired the older passwords of" if retire else "changed" if had else "added"
    said: dict[str, object] = {"file": str(file), "user": name, "realm": in_realm, "algorithms": list(shown)}
    if device is not None:
        said["passwords"] = len(has)
    _report(said | {"action": action}, output, password if generate else None)


def _with_password(text: str, who: tuple[str, str], password: str, wanted: tuple[str, ...], *, keep: bool) -> str:
    """`text` with that password, in the algorithms that are wanted, else in those that the user has."""
    had = {algorithm for one in generations_of(text, *who) for algorithm in one}
    algorithms = wanted or tuple(a for a in ALGORITHMS if a in had) or ("MD5",)
    hashes = {a: a1(a, *who, password) for a in algorithms}
    return (add_generation if keep else replace_user)(text, *who, hashes)


def _report(said: dict[str, object], output: Format, password: str | None) -> None:
    """What was done. A password is given only when it was made here, on standard output and nowhere else."""
    if output is Format.JSON:
        emit_json(said if password is None else said | {"password": password})
        return
    algorithms = said["algorithms"]
    assert isinstance(algorithms, list)
    line = f"{said['file']}: {said['action']} {said['user']}, realm {said['realm']} ({', '.join(algorithms)})"
    if said.get("passwords", 1) not in (0, 1):
        line += f"; {said['passwords']} passwords are good"
    if password is None:
        say(line)
    else:
        say(password)
        sys.stderr.write(line + "\n")


def _who_of_the_two(user: str | None, device: str | None, realm: str | None) -> tuple[str, str]:
    """User name and realm; a device's name is its MAC as everywhere else."""
    if (user is None) == (device is None):
        fail("name a user, as USER@DOMAIN, or a --device")
    if user is not None:
        return _who(user, realm)
    mac = mac_of((device or "").strip())
    if mac is None:
        fail(f"--device {device!r}: a MAC has twelve hexadecimal digits, such as 00:04:13:2a:11:22")
    return _who(mac, realm if realm is not None else DEVICE_REALM)


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

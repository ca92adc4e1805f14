"""`phone`: a subscriber for people."""

import asyncio
import signal
import ssl
import sys
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import typer

from gitops_profile.phone import (
    SECURE,
    TRANSPORTS,
    Password,
    Phone,
    PhoneError,
    Pointer,
    Received,
    SubscriberSettings,
    follow,
    open_phone,
    server_context,
)
from gitops_profile.presentity import mac_of

from .handset import certificate_context, play
from .options import Output
from .output import Format, emit_json, fail, say

GOODBYE = 5.0
"""Seconds for which the answer to an unsubscription is awaited."""


def phone(
    aor: Annotated[
        str | None, typer.Argument(help="whose profile: sip:user@domain or user@domain", metavar="[AOR]")
    ] = None,
    server: Annotated[
        str, typer.Option("--server", help="where the server is: [udp:|tcp:|tls:|ws:|wss:]ADDRESS:PORT")
    ] = "127.0.0.1:5060",
    expires: Annotated[int, typer.Option("--expires", help="seconds; 0 fetches the profile once")] = 3600,
    profile_type: Annotated[
        str | None, typer.Option("--profile-type", help="user, device or local-network; by default the AoR decides")
    ] = None,
    accept: Annotated[str | None, typer.Option("--accept", help="media types, such as text/xml")] = None,
    vendor: Annotated[
        str | None, typer.Option("--vendor", help="in the Event header; with --mac the make of desk phone to play")
    ] = None,
    model: Annotated[str | None, typer.Option("--model")] = None,
    version: Annotated[str | None, typer.Option("--version")] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="PEM file of the CA that signed the server's certificate")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="take any certificate")] = False,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="file with the password, for a server that asks for it")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="name for digest; by default the user of the AoR", metavar="NAME")
    ] = None,
    suppress: Annotated[
        str | None, typer.Option("--suppress", help="the etag one has, or *: no body while it is the same (RFC 5839)")
    ] = None,
    mac: Annotated[
        str | None, typer.Option("--mac", help="play a desk phone: plug and play, fetch, check-sync, fetch again")
    ] = None,
    pnp: Annotated[str | None, typer.Option("--pnp", help="interface on which it asks by plug and play")] = None,
    url: Annotated[str | None, typer.Option("--url", help="where its files are; a folder ends in /")] = None,
    address: Annotated[str | None, typer.Option("--address", help="its own IP address")] = None,
    port: Annotated[int, typer.Option("--port", help="its own SIP port; 0: any", min=0, max=65535)] = 0,
    line: Annotated[
        str | None, typer.Option("--line", help="file with USER:PASSWORD of its line: it challenges a check-sync")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="PEM file with its certificate and key, for https")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", help="end after so many NOTIFYs, or fetches")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Subscribe to a profile and print each NOTIFY as it comes. Ctrl-C unsubscribes.

    With --mac a desk phone is played instead, of the make that --vendor names: it asks by plug and play (--pnp) or is
    given a --url, fetches its files, and fetches them again at each check-sync.
    """
    if mac is not None or (aor is None and url is not None):
        play(
            vendor, mac, pnp, url, address=address, port=port, line=_line(line),
            password=_password(password_file, user or mac_of(mac or ""), "") if password_file is not None else None,
            context=certificate_context(ca, insecure, certificate), count=count, output=output,
        )  # fmt: skip
        return
    if aor is None:
        fail("whose profile? Give an AoR such as alice@example.com, or --mac for a desk phone")
    uri = aor if aor.startswith(("sip:", "sips:")) else f"sip:{aor}"
    settings = SubscriberSettings(
        uri,
        expires,
        profile_type,
        accept,
        vendor,
        model,
        version,
        _password(password_file, user, uri) if password_file is not None else None,
        suppress,
    )
    try:
        where = _server(server)
        # Also for a pointer, which may be an https one whatever SIP goes over.
        context = server_context(ca, insecure=insecure) if where[0] in SECURE or ca or insecure else None
        refused = asyncio.run(_run(settings, where, context, count, output))
    except PhoneError as error:
        fail(str(error))
    except KeyboardInterrupt:
        return
    if refused:
        raise typer.Exit(1)


def _line(file: str | None) -> Password | None:
    """USER:PASSWORD, the first line of a file."""
    if file is None:
        return None
    try:
        user, separator, password = Path(file).read_text(encoding="utf-8").partition("\n")[0].partition(":")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"--line {file}: {getattr(error, 'strerror', None) or 'it is not in UTF-8'}")
    if not separator:
        fail(f"--line {file}: write it as USER:PASSWORD")
    return Password(user, password)


def _password(file: Path, user: str | None, aor: str) -> Password:
    """The first line of a file, for the user of the AoR unless another is named."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"--password-file {file}: {getattr(error, 'strerror', None) or 'it is not in UTF-8'}")
    if not lines:
        fail(f"--password-file {file}: it is empty")
    name = user or unquote(aor.partition(":")[2].rpartition("@")[0])
    return Password(name, unicodedata.normalize("NFC", lines[0]))  # RFC 7616 §4


def _server(text: str) -> tuple[str, str, int]:
    transport, rest = "udp", text
    for name in TRANSPORTS:
        if text.startswith(f"{name}:"):
            transport, rest = name, text.removeprefix(f"{name}:")
    host, _, port = rest.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        fail(f"--server {text!r}: write it as ADDRESS:PORT, such as 127.0.0.1:5060")
    return transport, host.strip("[]"), int(port)


async def _run(
    settings: SubscriberSettings,
    server: tuple[str, str, int],
    context: ssl.SSLContext | None,
    count: int | None,
    output: Format,
) -> bool:
    """Whether the server refused."""
    transport, host, port = server
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_phone(settings, (host, port), transport, context) as running:
        watching = loop.create_task(_watch(running, count, output, context))
        others = [loop.create_task(stop.wait()), loop.create_task(_keep_subscribed(running, settings.expires))]
        tasks: list[asyncio.Task[Any]] = [watching, *others]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        failed = next((t.exception() for t in tasks if t.done() and not t.cancelled() and t.exception()), None)
        refused = watching.done() and failed is None and watching.result()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if failed is not None:
            raise failed
        if running.subscriber.granted and not running.subscriber.ended:
            await _unsubscribe(running)
        return refused


async def _unsubscribe(running: Phone) -> None:
    """Who pressed Ctrl-C wants to go: a server that is gone is not waited for as long as SIP would."""
    try:
        async with asyncio.timeout(GOODBYE):
            await running.subscribe(0)
    except TimeoutError:
        sys.stderr.write("no answer to the unsubscription: a server that is up keeps it until it expires\n")


async def _keep_subscribed(running: Phone, expires: int) -> None:
    """SUBSCRIBE, and refresh for ever; a fetch has nothing to refresh. Raises PhoneError."""
    await running.subscribe()
    if expires:
        await running.keep_refreshed()
    await asyncio.Event().wait()  # until the watcher has seen enough


async def _watch(running: Phone, count: int | None, output: Format, context: ssl.SSLContext | None) -> bool:
    notifies = 0
    while True:
        received = await running.next()
        _print(received, output)
        pointer = Pointer.read(received.content_type, received.body) if received.kind == "document" else None
        if pointer is not None:
            _print(await _by_link(pointer, received, running.subscriber.settings, context), output)
        if received.kind == "refused":
            if running.subscriber.ended:
                return True
            continue
        notifies += received.kind != "accepted"
        finished = running.subscriber.ended and received.kind in ("document", "ended", "unchanged")
        if finished or (count is not None and notifies >= count):
            return False


async def _by_link(
    pointer: Pointer, received: Received, settings: SubscriberSettings, context: ssl.SSLContext | None
) -> Received:
    """The document that a NOTIFY points to, or why it did not come."""
    try:
        fetched = await follow(pointer, context, settings.password)
    except PhoneError as error:
        return Received("by link", str(error), etag=received.etag, cseq=received.cseq)
    said = "; ".join(fetched.differences) or "as the NOTIFY says"
    return Received("by link", said, fetched.content_type, fetched.body, received.etag, received.cseq)


def _print(received: Received, output: Format) -> None:
    now = datetime.now().astimezone()
    if output is Format.JSON:
        emit_json(
            {
                "time": now.isoformat(timespec="milliseconds"),
                "kind": received.kind,
                "detail": received.detail,
                "cseq": received.cseq,
                "etag": received.etag,
                "content_type": received.content_type,
                "body": received.body.decode("utf-8", "backslashreplace"),
            }
        )
        return
    stamp = now.strftime("%H:%M:%S.%f")[:-3]
    if received.kind in ("accepted", "refused"):
        say(f"{stamp} {received.kind}: {received.detail}")
        return
    size = f", {received.content_type}, {len(received.body)} bytes" if received.body else ", no document"
    what = "by link" if received.kind == "by link" else f"NOTIFY {received.cseq}"
    say(f"{stamp} {what}: {received.detail}{size}")
    if received.body and received.kind in ("document", "by link"):
        sys.stdout.write(received.body.decode("utf-8", "backslashreplace").rstrip("\n") + "\n")
        sys.stdout.flush()

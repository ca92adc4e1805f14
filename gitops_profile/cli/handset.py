"""`phone --mac`: a desk phone of some make, played, so that a repository can be rehearsed without hardware."""

import asyncio
import json
import secrets
import signal
import ssl
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

from gitops_profile.phone import (
    MAKES,
    Files,
    Handset,
    Hardware,
    Make,
    Password,
    PhoneError,
    Step,
    new_token,
    open_socket,
    server_context,
)
from gitops_profile.presentity import mac_of
from gitops_profile.transport import InterfaceUnusable, find_interface

from .output import Format, fail, printable, say


def play(
    vendor: str | None,
    mac_text: str | None,
    pnp: str | None,
    url: str | None,
    *,
    address: str | None,
    port: int,
    line: Password | None,
    password: Password | None,
    context: ssl.SSLContext | None,
    count: int | None,
    output: Format,
) -> None:
    """Run it until `count` fetches have ended, or for ever. Ends the command when it cannot."""
    make = MAKES.get((vendor or "").lower())
    if make is None:
        fail(f"--vendor {vendor or ''!r}: one of {', '.join(MAKES)}")
    mac = _mac(make, mac_text, url)
    if url is None and (pnp is None or make.asking is None):
        why = f"phones of {make.vendor} do no plug and play" if pnp is not None else "without plug and play"
        fail(f"{why}: give the URL of its files with --url" + ("" if pnp else ", or an interface with --pnp"))
    try:
        local = address or (find_interface(pnp).address if pnp is not None else "127.0.0.1")
        with closing(open_socket(local, port)) as sock:
            handset = Handset(
                make, mac, sock.getsockname()[:2], new_token, password=line, secret=secrets.token_bytes(32),
                clock=time.time,
            )  # fmt: skip
            files = Files(make, mac, address=local if pnp or address else None, context=context, password=password)
            hardware = Hardware(handset, files, sock, url=url, by_multicast=pnp is not None)
            asyncio.run(_run(hardware, make, mac, count, output))
    except (PhoneError, InterfaceUnusable) as error:
        fail(str(error))
    except KeyboardInterrupt:
        return


def _mac(make: Make, text: str | None, url: str | None) -> str:
    """Its MAC; empty for a softphone that is given the URL of its one file."""
    if text is None and not make.has_mac and url is not None and not url.endswith("/"):
        return ""
    mac = mac_of(text or "")
    if mac is None:
        fail(f"--mac {text or ''!r} is no MAC, such as 000413d4e5f6")
    return mac


def certificate_context(ca: Path | None, insecure: bool, certificate: Path | None) -> ssl.SSLContext | None:
    """For https, with the phone's own certificate when it has one; None for the system's ways."""
    if ca is None and not insecure and certificate is None:
        return None
    context = server_context(ca, insecure=insecure)
    if certificate is not None:
        try:
            context.load_cert_chain(certificate)
        except OSError as error:
            fail(f"--certificate {certificate} cannot be used: {error.strerror or error}")
    return context


async def _run(hardware: Hardware, make: Make, mac: str, count: int | None, output: Format) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if output is Format.TEXT:
        say(f"{make.vendor} {make.model} {mac}".rstrip())
    ended = 0
    try:
        async for step in hardware.steps():
            _print(step, output)
            ended += step.kind in ("ready", "failed")
            if count is not None and ended >= count:
                return
    except asyncio.CancelledError:
        return  # somebody pulled the plug


def _print(step: Step, output: Format) -> None:
    when = datetime.fromtimestamp(step.at).astimezone()
    if output is Format.JSON:
        facts = {
            "time": when.isoformat(timespec="milliseconds"),
            "kind": step.kind,
            "detail": step.detail,
            "status": step.status,
            "etag": step.etag,
            "body": step.body.decode("utf-8", "backslashreplace") if step.status == 200 else None,
        }
        say(printable(json.dumps(facts, ensure_ascii=False)))  # a line for each step
        sys.stdout.flush()
        return
    said = f" {step.status}" if step.status is not None else ""
    said += f", {len(step.body)} bytes, etag {step.etag}" if step.status == 200 and step.kind == "fetched" else ""
    say(printable(f"{when:%H:%M:%S.%f}"[:12] + f" {step.kind}: {step.detail}{said}"))
    sys.stdout.flush()

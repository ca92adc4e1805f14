"""A phone's document over HTTP from the real server, beside nginx serving the same bytes from a file, in the same run.

By the name that the phone knows, by the link that a NOTIFY has in place of a document, and as a 304.

Run it with `python tests/bench/bench_http.py [--smoke]`. One worker of nginx, one server of ours; the phones are this
process, eight connections that stay open. The figure to compare is CPU per request: one core is shared with the phones.
Without nginx the other row is left out, and says so.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.repositories import ENVIRONMENT, Git

MAC = "0004132a1122"
BODY = b"<settings>" + b"x" * 1000 + b"</settings>"
SIZE = f"{len(BODY)} bytes"
CONNECTIONS = 8
AGENT = "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 0004132A1122 SXM:0 UXM:0)"
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 30.0


@dataclass(frozen=True)
class Row:
    """One server's figures."""

    name: str
    per_second: float
    cpu: float
    """Seconds for one request."""


def cpu_of(pid: int) -> float:
    """Processor seconds of a process so far, all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def load(port: int, path: str, requests: int, pid: int, name: str, more: str = "") -> Row:
    """Ask for the document again and again; every answer must be the document, or with `more`, headers, a 304."""
    text = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n{more}\r\n".encode()
    check = check_unchanged if more else check_document
    sockets = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(CONNECTIONS)]
    try:
        for sock in sockets:  # once, so that both have warmed up
            sock.sendall(text)
            check(sock)
        start, used = time.perf_counter(), cpu_of(pid)
        for _ in range(requests // CONNECTIONS):
            for sock in sockets:
                sock.sendall(text)
            for sock in reversed(sockets):  # the last one first: a server is to answer, not to wake us eight times
                check(sock)
        done = requests // CONNECTIONS * CONNECTIONS
        return Row(name, done / (time.perf_counter() - start), (cpu_of(pid) - used) / done)
    finally:
        for sock in sockets:
            sock.close()


def check_document(sock: socket.socket) -> None:
    data = b""
    while not data.endswith(BODY):
        received = sock.recv(65536)
        if not received:
            raise RuntimeError(f"the connection ended after {data[:80]!r}")
        data += received
    if not data.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"it answered {data[:80]!r}")


def check_unchanged(sock: socket.socket) -> None:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        received = sock.recv(65536)
        if not received:
            raise RuntimeError(f"the connection ended after {data[:80]!r}")
        data += received
    if not data.startswith(b"HTTP/1.1 304"):
        raise RuntimeError(f"it answered {data[:80]!r}")


def linked(port: int) -> str:
    """The path of the link that a phone is given which subscribes and takes nothing but links."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(PATIENCE)
        phone.bind(("127.0.0.1", 0))
        here = f"127.0.0.1:{phone.getsockname()[1]}"
        request = (
            f"SUBSCRIBE sip:{MAC}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK1;rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{MAC}@example.com>;tag=1\r\nTo: <sip:{MAC}@example.com>\r\n"
            f"Call-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{MAC}@{here}>\r\nExpires: 0\r\n"
            "Event: ua-profile;profile-type=device\r\nAccept: message/external-body\r\nContent-Length: 0\r\n\r\n"
        )
        phone.sendto(request.encode(), ("127.0.0.1", port))
        while True:
            found = re.search(rb'URL="http://[^/]+([^"]+)"', phone.recv(65536))
            if found is not None:
                return found[1].decode()


@contextmanager
def ours(folder: Path) -> Iterator[tuple[int, int, list[str]]]:
    """The real server: its process, its port, and the paths: by name, and by link."""
    git = Git(folder / "repository")
    git.commit({f"profiles/device/example.com/{MAC}.xml": BODY}, "a phone")
    port = free_port()
    settings = folder / "gitops-profile.yaml"
    settings.write_text(
        json.dumps({"http": {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}/"}})
    )
    command = [sys.executable, "-m", "gitops_profile", "serve", "--repo", str(git.folder)]
    command += ["--state", str(folder / "state"), "--config", str(settings), "--listen", "udp:127.0.0.1:0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=ENVIRONMENT)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(b"ready "), (folder / "log").read_text()
        listening = re.search(rb"udp:127\.0\.0\.1:([0-9]+)", line)
        assert listening is not None, line
        yield process.pid, port, [f"/p/example.com/{MAC}.xml", linked(int(listening[1]))]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def nginx(folder: Path, program: str) -> Iterator[tuple[int, int, str]]:
    """One worker of nginx, with the same document in a file."""
    (folder / "www").mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "www" / f"{MAC}.xml").write_bytes(BODY)
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"user root; events {{ worker_connections 64; }}\n"
        f"http {{ access_log off; keepalive_requests 100000000; types {{ text/xml xml; }}\n"
        f"server {{ listen 127.0.0.1:{port}; root {folder}/www; }} }}\n"
    )
    process = subprocess.Popen([program, "-c", str(settings), "-p", str(folder)])
    try:
        end = time.monotonic() + PATIENCE
        worker = ""
        while not worker:
            assert process.poll() is None and time.monotonic() < end, "nginx did not start"
            time.sleep(0.05)
            worker = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split(" ")[0]
        yield int(worker), port, f"/{MAC}.xml"
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a small run: does it still work?")
    requests = 2_000 if parser.parse_args().smoke else 40_000
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        with ours(Path(name) / "ours") as (pid, port, paths):
            rows = [
                load(port, path, requests, pid, what) for path, what in zip(paths, ("by name", "by link"), strict=True)
            ]
            unchanged = load(port, paths[0], requests, pid, "304", "If-None-Match: *\r\n")
        print(f"| GET, 304 | {unchanged.per_second:,.0f}/s | {1e6 * unchanged.cpu:.0f} µs CPU each | |")
        program = shutil.which("nginx")
        if program is None or os.geteuid() != 0:
            for row in rows:
                print(f"| GET, {SIZE}, {row.name} | {row.per_second:,.0f}/s | {1e6 * row.cpu:.0f} µs CPU | no nginx |")
            return
        with nginx(Path(name) / "nginx", program) as (pid, port, path):
            peer = load(port, path, 5 * requests, pid, "nginx")
        for row in rows:
            print(
                f"| GET, {SIZE}, {row.name} | {row.per_second:,.0f}/s | {1e6 * row.cpu:.0f} µs CPU each | nginx "
                f"{peer.per_second:,.0f}/s, {1e6 * peer.cpu:.0f} µs: {peer.cpu / row.cpu:.2f} × as many a core |"
            )


if __name__ == "__main__":
    main()

"""Real remotes on loopback: git daemon, sshd, and git http-backend behind a small server that can also lie."""

import base64
import getpass
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.absent import absent
from tests.ports import own_port
from tests.repositories import ENVIRONMENT

TOKEN = "tok-4f1c2e9-very-secret"
"""What the HTTP remotes ask for, and what must be found nowhere."""
PATIENCE = 10.0


def need(program: str, *more_paths: str) -> str:
    """Where a program is; without it the test is skipped, or fails when REQUIRE_PEERS=1."""
    found = shutil.which(program, path=os.pathsep.join((os.environ["PATH"], *more_paths)))
    return found or absent(f"{program} is not installed")


def wait_for_port(port: int) -> None:
    """Until something listens there."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nobody listens on {port}"
            time.sleep(0.02)


class _Process:
    """A server process on a port that stays its own while it is stopped and started."""

    command: list[str]
    port: int

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for_port(self.port)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


class GitDaemon(_Process):
    """`git daemon` on the repositories of a folder."""

    def __init__(self, base: Path) -> None:
        self.port = own_port()
        self.command = [
            f"{subprocess.check_output(['git', '--exec-path'], text=True).strip()}/git-daemon", "--reuseaddr",
            "--listen=127.0.0.1", f"--port={self.port}", "--export-all", f"--base-path={base}", str(base),
        ]  # fmt: skip
        self.start()

    def url(self, name: str) -> str:
        return f"git://127.0.0.1:{self.port}/{name}"


class SSHDaemon(_Process):
    """A real sshd with a host key of its own, and a key that it lets in."""

    def __init__(self, folder: Path) -> None:
        sshd = need("sshd", "/usr/sbin")
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.key, self.host_key = self._make_key("client"), self._make_key("host")
        (folder / "authorized").write_bytes(self.key.with_suffix(".pub").read_bytes())
        self.port = own_port()
        (folder / "config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.host_key}\nPidFile none\nUsePAM no\nStrictModes no\n"
            f"AuthorizedKeysFile {folder / 'authorized'}\nPasswordAuthentication no\nPermitRootLogin yes\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd separates its privileges there
        self.command = [sshd, "-D", "-e", "-f", str(folder / "config")]
        self.known_hosts = folder / "known hosts"  # with a space, which ssh would take for two names
        public = self.host_key.with_suffix(".pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        self.start()

    def _make_key(self, name: str) -> Path:
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        return path

    def url(self, repository: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"


class HTTPRemote:
    """`git http-backend` over http or https, for whoever has TOKEN; `lie` says how it misbehaves instead."""

    LIES = ("garbage", "html", "401", "403", "404", "500", "301", "half", "reset", "echo", "hang", "drip")

    def __init__(self, base: Path, context: ssl.SSLContext | None = None) -> None:
        self.base = base
        self.lie = ""
        self.requests: list[tuple[str, str | None]] = []
        self.token: str | None = TOKEN
        self.asked = threading.Event()
        """Somebody has."""
        self.ended = threading.Event()
        remote = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                remote.answer(self)

            do_POST = do_GET

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nobody reads it."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Clients that give up are what is tested."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "http" if context is None else "https"
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def url(self, name: str) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        header = request.headers.get("Authorization")
        self.requests.append((request.path, header))
        self.asked.set()
        if self.lie and self._lied(request, header):
            return
        if self.token is not None:
            pair = base64.b64decode((header or "").removeprefix("Basic ")).decode()
            if pair.partition(":")[2] != self.token:
                self._send(request, 401, b"who are you?\n", {"WWW-Authenticate": 'Basic realm="git"'})
                return
        self._backend(request)

    def _lied(self, request: BaseHTTPRequestHandler, header: str | None) -> bool:
        match self.lie:
            case "garbage":
                self._send(request, 200, os.urandom(3000))
            case "html":
                self._send(request, 200, b"<html><body>Please sign in</body></html>", {"Content-Type": "text/html"})
            case "401" | "403" | "404" | "500":
                self._send(request, int(self.lie), b"no\n")
            case "301":
                self._send(request, 301, b"", {"Location": f"http://127.0.0.1:{self.port}/elsewhere{request.path}"})
            case "echo":  # what it was sent, in the words that git hands on
                self._send(request, 403, f"you said {header}\n".encode(), {"Content-Type": "text/plain"})
            case "reset":
                request.connection.close()
            case "hang":
                self.ended.wait(30)
            case "drip":
                request.send_response(200)
                request.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
                request.end_headers()
                while not self.ended.wait(0.2):
                    request.wfile.write(b"0")
                    request.wfile.flush()
            case "half":
                if request.command != "POST":
                    return False
                self._backend(request, half=True)
        return True

    def _backend(self, request: BaseHTTPRequestHandler, *, half: bool = False) -> None:
        path, _, query = request.path.partition("?")
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if request.headers.get("Transfer-Encoding") == "chunked":
            body = _chunks(request)
        environment = ENVIRONMENT | {
            "GIT_PROJECT_ROOT": str(self.base), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": request.command, "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(re.findall(r"^([\w-]+): (.*?)\r?$", head.decode(), re.MULTILINE))
        status = int(headers.pop("Status", "200").split()[0])
        if half and b"PACK" in content:
            headers["Content-Length"] = str(len(content))
            content = content[: content.index(b"PACK") + (len(content) - content.index(b"PACK")) // 2]
        self._send(request, status, content, headers)

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str] | None = None
    ) -> None:
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)


def _chunks(request: BaseHTTPRequestHandler) -> bytes:
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    return body

"""A phone's response to a request of the server's."""

from gitops_profile.sip.syntax import Request


def build_reply(request: Request, status: int, reason: str, *fields: tuple[str, str]) -> bytes:
    """The bytes of a response without a body."""
    lines = [f"SIP/2.0 {status} {reason}", *(f"Via: {via}" for via in request.headers.all("via"))]
    lines += [f"{name}: {request.headers.get(name.lower())}" for name in ("From", "To", "Call-ID", "CSeq")]
    lines += [f"{name}: {value}" for name, value in fields]
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode("utf-8", "surrogateescape")

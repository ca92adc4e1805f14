"""Which server transaction a request belongs to (RFC 3261 §17.2.3)."""

from ..syntax import Request

TransactionKey = tuple[str, ...]
MAGIC_COOKIE = "z9hG4bK"


def server_key(request: Request) -> TransactionKey:
    """The key of a request's transaction; an ACK belongs to its INVITE's.

    Without the magic cookie, or with nothing after it (RFC 4475 §3.2.1), the elements of RFC 2543 decide: Snom phones
    send no branch at all. The method comes last in either form.
    """
    method = "INVITE" if request.method == "ACK" else request.method
    via = request.via
    branch = via.branch
    if branch is not None and branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
        return branch, via.host, str(via.sent_by[1]), method
    to_tag = "" if request.method == "ACK" else request.to_tag or ""
    return request.uri, to_tag, request.from_tag, request.call_id, str(request.cseq), request.vias[0], method

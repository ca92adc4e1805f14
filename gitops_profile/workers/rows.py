"""A stored subscription as bytes, for the way between the processes: the only place that knows how."""

from typing import Any

import msgspec

from gitops_profile.sip import StoredSubscription

Row = tuple[bytes, bytes, bytes]
"""Id, resource (both as `key_bytes`) and the rest."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode
_ROUTE_SET = StoredSubscription._fields.index("route_set")


def pack(row: StoredSubscription) -> Row:
    """One row."""
    try:
        packed = _encode(row)
    except UnicodeEncodeError:  # text that came as bytes which are no UTF-8
        packed = _encode([_encodable(value) for value in row])
    return key_bytes(row.id), key_bytes(row.resource), packed


def unpack(packed: bytes) -> StoredSubscription:
    """The inverse of `pack`, from its last part."""
    values: list[Any] = [value if type(value) is not bytes else _text(value) for value in _decode(packed)]
    values[_ROUTE_SET] = tuple(_text(route) for route in values[_ROUTE_SET])
    return StoredSubscription(*values)


def key_bytes(text: str) -> bytes:
    """An id or a resource, whatever bytes it came as."""
    return text.encode("utf-8", "surrogateescape")


def key_text(data: bytes) -> str:
    """The inverse of `key_bytes`."""
    return data.decode("utf-8", "surrogateescape")


def _encodable(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_encodable(one) for one in value]
    return key_bytes(value) if isinstance(value, str) else value


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else key_text(value)

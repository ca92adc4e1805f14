"""What phones sent, byte for byte as far as it was written down (phones.md 2.1)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One SUBSCRIBE and what it must come to."""

    name: str
    text: str
    source: tuple[str, int]
    mac: str | None
    vendor: str
    model: str | None
    answer_to: tuple[str, int]
    """Where the NOTIFY goes."""
    encoding: str = "utf-8"

    def data(self, line_end: str = "\r\n") -> bytes:
        return self.text.replace("\n", line_end).encode(self.encoding)


def _sample(
    name: str, uri: str, from_: str, via: str, event: str, rest: str, source: tuple[str, int], **facts: object
) -> Sample:
    text = (
        f"SUBSCRIBE {uri} SIP/2.0\nVia: SIP/2.0/UDP {via}\nFrom: {from_}\nTo: {from_.partition('>')[0]}>\n"
        f"Call-ID: {name}-1\nEvent: {event}\n{rest}Expires: 0\nContent-Length: 0\n\n"
    )
    return Sample(name, text, source, **facts)  # type: ignore[arg-type]


SNOM = _sample(
    "snom-doc", "sip:MAC%3a00135E874B49@intern.snom.de", "<sip:MAC%3a00135E874B49@intern.snom.de>;tag=1597362477",
    "192.0.2.67:5060;rport", 'ua-profile;profile-type="device";vendor="OEM";model="OEM";version="7.1.19"',
    "CSeq: 1 SUBSCRIBE\nContact: <sip:192.0.2.67:5060>\nAccept: application/url\n", ("192.0.2.67", 5060),
    mac="00135e874b49", vendor="generic", model=None, answer_to=("192.0.2.67", 5060),
)  # fmt: skip

SAMPLES = (
    SNOM,
    _sample(
        "snom-370", "sip:MAC%3a000413241967@fake", "<sip:MAC%3a000413241967>;tag=ab12", "192.0.2.68:5060;rport",
        'ua-profile;profile-type="device";vendor="snom";model="snom370";version="8.7.5.48"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:192.0.2.68:5060>\n", ("192.0.2.68", 5060),
        mac="000413241967", vendor="snom", model="370", answer_to=("192.0.2.68", 5060),
    ),
    _sample(
        "yealink-w52p", "sip:MAC001565f4f9e1@224.0.1.75", "<sip:MAC001565f4f9e1@224.0.1.75>;tag=1536537629",
        "192.0.2.69:5059;branch=z9hG4bK1536537630",
        'ua-profile;profile-type="device";vendor="yealink";model="W52P";version="25.81.0.10"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:MAC001565f4f9e1@192.0.2.69:5059>\nMax-Forwards: 70\n"
        "User-Agent: Yealink W52P 25.81.0.10\nAccept: application/url\n", ("192.0.2.69", 5059),
        mac="001565f4f9e1", vendor="yealink", model="W52P", answer_to=("192.0.2.69", 5059),
    ),
    _sample(
        "yealink-t21p", "sip:MAC001565aabbcc@224.0.1.75", "<sip:MAC001565aabbcc@224.0.1.75>;tag=1",
        "192.0.2.70:5059.;branch=z9hG4bK1", 'ua-profile;profile-type="device";vendor="Yealink";model="T21D"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:MAC001565aabbcc@192.0.2.70:5059>\n", ("192.0.2.70", 5059),
        mac="001565aabbcc", vendor="yealink", model="T21D", answer_to=("192.0.2.70", 5059),
    ),
    _sample(
        "yealink-t5x", "sip:MAC%3a805ec0112233@224.0.1.75", "<sip:MAC%3a805ec0112233@224.0.1.75>;tag=1",
        "192.0.2.71:5060;branch=z9hG4bK2;rport",
        'ua-profile;profile-type="device";vendor="Yealink";model="T53W";version="96.86.0.20"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:192.0.2.71:5060>\n", ("192.0.2.71", 5060),
        mac="805ec0112233", vendor="yealink", model="T53W", answer_to=("192.0.2.71", 5060),
    ),
    _sample(
        "grandstream", "sip:MAC%3AC074AD112233@224.0.1.75", "<sip:MAC%3AC074AD112233@224.0.1.75>;tag=99",
        "192.0.2.72:5080;branch=z9hG4bK99;rport",
        'ua-profile;profile-type="device";vendor="Grandstream";model="GRP2612W";version="1.0.5.67"',
        "CSeq: 20000 SUBSCRIBE\nContact: <sip:192.0.2.72:5080>\nSupported: replaces, path\n"
        "User-Agent: Grandstream GRP2612W 1.0.5.67\n", ("192.0.2.72", 5080),
        mac="c074ad112233", vendor="grandstream", model="GRP2612W", answer_to=("192.0.2.72", 5080),
    ),
    _sample(
        "gigaset", "sip:MAC%3a7C2F80E0D605@gigaset.com", "<sip:MAC%3a7C2F80E0D605@gigaset.com>;tag=5",
        "192.0.2.73:5060;rport", 'ua-profile;profile-type="device";vendor="OEM";model="OEM";version="83"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:192.0.2.73:5060>\nAccept: application/url\n", ("192.0.2.73", 5060),
        mac="7c2f80e0d605", vendor="gigaset", model=None, answer_to=("192.0.2.73", 5060),
    ),
    _sample(
        "audiocodes", "sip:224.0.1.75:5060", "<sip:00000001@192.0.2.74:5060>;tag=x",
        "192.0.2.74:5060;rport;branch=z9hG4bK-1", 'ua-profile;profile-type="application";model="420HD";'
        'version="1.2.1_build_6"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:00000001@192.0.2.74:5060>\nUser-Agent: AUDC-IPPhone/1.2.1_build_6\n",
        ("192.0.2.74", 5060), mac=None, vendor="audiocodes", model="420HD", answer_to=("192.0.2.74", 5060),
    ),
    _sample(
        "planet", "sip:MAC=00304fa99948@224.0.1.75", "<sip:MAC=00304fa99948@224.0.1.75>",
        "192.0.2.75:5060;branch=z9hG4bK7;rport", 'ua-profile;profile-type="device";vendor="PLANET";model="VIP-2140PT"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:192.0.2.75:5060>\n", ("192.0.2.75", 5060),
        mac="00304fa99948", vendor="planet", model="VIP-2140PT", answer_to=("192.0.2.75", 5060),
    ),
    _sample(
        "fanvil", "sip:MAC%3a0c383e07e16c@224.0.1.75", "<sip:MAC%3a0c383e07e16c@224.0.1.75>;tag=3",
        "192.0.2.76:5060;branch=z9hG4bK3", 'ua-profile;profile-type="device";vendor="Fanvil";model="VOIP PHONE"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:192.0.2.76:5060>\nUser-Agent: Fanvil X4 2.10.2.6887 0c383e07e16c\n",
        ("192.0.2.76", 5060), mac="0c383e07e16c", vendor="fanvil", model="X4", answer_to=("192.0.2.76", 5060),
    ),
    _sample(
        "panasonic", "sip:MAC0080f0c8c381@224.0.1.75", "<sip:MAC0080f0c8c381@224.0.1.75>;tag=3",
        "192.0.2.77:5060;branch=z9hG4bK3", 'ua-profile;profile-type="device" ; vender = "Panasonic"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:192.0.2.77:5060>\n",
        ("192.0.2.77", 5060), mac="0080f0c8c381", vendor="panasonic", model=None, answer_to=("192.0.2.77", 5060),
    ),
    _sample(
        "akuvox", "sip:MAC0c1105112233@224.0.1.75", "<sip:MAC0c1105112233@224.0.1.75>;tag=3",
        "192.0.2.78:5060;branch=z9hG4bK3", 'ua-profile;vendor="Akuvox";model="R20K";version="220.30.3.1"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:192.0.2.78:5060>\n",
        ("192.0.2.78", 5060), mac="0c1105112233", vendor="akuvox", model="R20K", answer_to=("192.0.2.78", 5060),
    ),
    _sample(
        "contact-of-somebody-else", "sip:MAC0c1105112233@224.0.1.75", "<sip:MAC0c1105112233@224.0.1.75>;tag=3",
        "198.51.100.1:5060;branch=z9hG4bK3", 'ua-profile;vendor="Akuvox";model="R20K";version="220.30.3.1"',
        "CSeq: 1 SUBSCRIBE\nContact: <sip:198.51.100.1:5060>\n",
        ("192.0.2.79", 5062), mac="0c1105112233", vendor="akuvox", model="R20K", answer_to=("192.0.2.79", 5062),
    ),
)  # fmt: skip

"""What sipp does, written out: subscribe, refresh after the first NOTIFY, unsubscribe after the document has changed.

Every NOTIFY in between must be the one that is due: sipp ends with a failure at any other message.
"""

from .phone import Call

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="interop">
"""
_REQUEST = """  <send retrans="500"><![CDATA[

SUBSCRIBE {uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{aor}>;tag=[call_number]sipp[pid]
To: <sip:{aor}>{tag}
Call-ID: [call_id]
CSeq: {cseq} SUBSCRIBE
Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>
{more}Event: ua-profile;profile-type=user
Accept: text/xml
Expires: {expires}
User-Agent: sipp
Content-Length: 0

  ]]></send>
"""
_NOTIFY = """  <recv request="NOTIFY">
    <action>
      <ereg regexp="^ *{state}" search_in="hdr" header="Subscription-State:" check_it="true" assign_to="seen"/>
      <ereg regexp="^ *ua-profile" search_in="hdr" header="Event:" check_it="true" assign_to="seen"/>
    </action>
  </recv>
  <send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

  ]]></send>
"""


def sipp_scenario(call: Call) -> str:
    """The scenario file for one phone; with a password it answers a challenge wherever one comes."""
    steps = [
        _subscribe(1, call, call.expires), _NOTIFY.format(state="active"),
        _subscribe(2, call, call.expires), _NOTIFY.format(state="active"),
        _NOTIFY.format(state="active"),
        _subscribe(3, call, 0), _NOTIFY.format(state="terminated"),
    ]  # fmt: skip
    return f'{_HEAD}{"".join(steps)}  <Reference variables="seen"/>\n</scenario>\n'


def _subscribe(number: int, call: Call, expires: int) -> str:
    """The SUBSCRIBE and its 200, perhaps after a 401. The route set comes with the first 200."""
    cseq = 2 * number - 1
    first = number == 1
    uri = f"sip:{call.aor}" if first or call.password else "[next_url]"  # what sipp's digest is of: -auth_uri
    tag, routes = ("", "") if first else ("[peer_tag_param]", "[routes]\n")
    ok = '  <recv response="200" rrs="true"{more}></recv>\n' if first else '  <recv response="200"{more}></recv>\n'
    request = _REQUEST.format(aor=call.aor, uri=uri, tag=tag, cseq=cseq, more=routes, expires=expires)
    if not call.password:
        return request + ok.format(more="")
    answer = f"[authentication username={call.user} password={call.password}]\n"
    again = _REQUEST.format(aor=call.aor, uri=uri, tag=tag, cseq=cseq + 1, more=routes + answer, expires=expires)
    challenged, done = f"challenged{number}", f"done{number}"
    straight = ok.format(more=f' next="{done}"')
    return (
        f'{request}  <recv response="401" auth="true" optional="true" next="{challenged}"></recv>\n'
        f"{straight}"
        f'  <label id="{challenged}"/>\n{again}{ok.format(more="")}  <label id="{done}"/>\n'
    )

"""RFC 3261 §18.1.1: requests near the path MTU leave over TCP, and over UDP after all where there is none."""

from harness.call import Call
from harness.suite import eventually, expect_equal, scenario

BODY = b"x" * 1400



def invite(stage, *flags, body=BODY, tcp_callee=True):
    """(transport in the proxy's Via, values of Record-Route) of an INVITE to a callee that is reachable over UDP."""
    proxy = stage.proxy(*flags, transports=("udp", "tcp"))
    caller, datagrams = stage.user_agent("caller"), stage.user_agent("callee")
    streams = stage.stream_agent("callee", port=datagrams.port) if tcp_callee else None
    call = Call(proxy, caller, datagrams)
    call.send_invite(body=body)
    over_tcp = tcp_callee and len(body) > 1000 and not flags
    callee = streams if over_tcp else datagrams
    seen = callee.request("INVITE")
    expect_equal(seen.body, body, "body at the callee")
    wanted = "SIP/2.0/TCP" if over_tcp else "SIP/2.0/UDP"
    expect_equal(seen.listed("Via")[0].split()[0], wanted, "transport in Via")
    expect_equal(len(seen.listed("Record-Route")), 1, "values of Record-Route: only the size changed the transport")
    callee.answer(seen, 200, "OK", [f"Contact: <{datagrams.uri}>"], tag="b1", contact=False)
    caller.response(200, "INVITE")
    eventually(proxy.count, lambda n: n == 1, "dialogs after the 2xx")


@scenario("a request above 1300 octets leaves over TCP, a smaller one over UDP")
def switched(stage):
    """B54, D3, D17: the answer comes back over the connection and on to the caller over UDP."""
    invite(stage)
    invite(stage, body=b"x" * 300)


@scenario("where TCP is refused, the large request goes over UDP after all")
def refused(stage):
    """D4."""
    invite(stage, tcp_callee=False)


@scenario("--udp-mtu 65535 keeps large requests on UDP")
def switched_off(stage):
    """D3."""
    invite(stage, "--udp-mtu", "65535")

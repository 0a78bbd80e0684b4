"""What the proxy does not have to change leaves as it came."""

import re

from harness.suite import expect_equal, scenario

ODD = [
    "X-Odd :   spaces  before   the colon",
    "Subject: folded\r\n  over two lines",
    "s: a second one, in compact form",
    'Warning: 399 example.org "a \\"quoted\\", comma"',
    "Unknown-List: a,, b;c=;d",
    "Proxy-Authorization: Digest username=\"a, b\", realm=\"elsewhere\"",
    "k: timer,   100rel",
    "X-Utf8: \u00e9\u4e2d",
    "eXPIRES: 0120",
    "Date: not a date at all",
]
BODY = b"v=0\r\n\x00\xff binary\r\n\r\nmore"


@scenario("every byte that no rule touches is the same on the other side")
def untouched(stage):
    """A68, A80, B8, B10, B43, B63, B66, B84, E8, E10, E13, E15, E16, E17, D37: only Via, Max-Forwards, Record-Route and Session-Expires."""
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    sent = caller.compose(
        "INVITE", callee.uri, "byte(exact)<>:\"/[]?{}@example.org", "\"Odd, one\" <sip:a@example.org>;tag=x;y=z",
        "sip:b@example.org", 1, ODD, body=BODY)
    caller.send(sent, proxy.address)
    seen = callee.request("INVITE")
    expected = sent.replace(b"Max-Forwards: 70", b"Max-Forwards: 69")
    kept = seen.raw
    # Take away what B66 lets the proxy add, then compare the rest byte for byte.
    kept = re.sub(rb"Via: SIP/2\.0/UDP " + re.escape(proxy.hostport.encode()) + rb"[^\r]*\r\n", b"", kept, count=1)
    kept = re.sub(rb"Record-Route: [^\r]*\r\n", b"", kept, count=1)
    kept = re.sub(rb"Session-Expires: 1800\r\n", b"", kept, count=1)
    kept = re.sub(rb"Max-Breadth: 60\r\n", b"", kept, count=1)
    kept = kept.replace(b";rport=%d;received=127.0.0.1;" % caller.port, b";rport;")
    kept = kept.replace(b";received=127.0.0.1;rport=%d;" % caller.port, b";rport;")
    kept = kept.replace(b";rport=%d;" % caller.port, b";rport;").replace(b";received=127.0.0.1", b"")
    expect_equal(kept, expected, "the request")
    answer = callee.answer(seen, 183, "Odd \u00e9 Progress", [*ODD, "Session-Expires: 5", "Min-SE: 1"], tag="b")
    received = caller.response(183)
    without_ours = re.sub(rb"Via: [^\r]*\r\n", b"", answer, count=1)
    expect_equal(received.raw, without_ours, "the response: our Via gone and nothing else")


@scenario("a request whose interval was changed is otherwise the same")
def one_value(stage):
    """A14, A100, B66: what an Identity or a signed body covers stays."""
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    headers = [
        "Supported: timer", "Session-Expires: 4000;refresher=uac;p=1", "Min-SE: 90;q", "Date: Sun, 22 Nov 2026 18:00:00 GMT",
        "Identity: abc.def.ghi;info=<https://x.test>"]
    sent = caller.compose("UPDATE", callee.uri, "identity@x", "<sip:a@x.test>;tag=a", "<sip:b@x.test>;tag=b", 3, headers, body=BODY)
    caller.send(sent, proxy.address)
    seen = callee.request("UPDATE")
    kept = [line for line in seen.raw.split(b"\r\n") if not re.match(rb"Via|Max-Forwards|Max-Breadth|Record-Route", line)]
    wanted = sent.replace(b"Session-Expires: 4000;", b"Session-Expires: 1800;").split(b"\r\n")
    expect_equal(kept, [line for line in wanted if not re.match(rb"Via|Max-Forwards", line)], "all but our own rows")


@scenario("other methods carry the timer's fields through unread")
def other_methods(stage):
    """A2, A39, A81, B7, F30: in MESSAGE and in a method nobody knows."""
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    for number, method in enumerate(("MESSAGE", "FROBNICATE", "OPTIONS", "INFO"), 1):
        odd = ["Session-Expires: 7;refresher=both", "Min-SE: 3", "Supported: timer"]
        caller.send(
            caller.compose(method, callee.uri, f"other-{number}@x", "<sip:a@x>;tag=a", "<sip:b@x>", 1, odd),
            proxy.address)
        seen = callee.request(method)
        expect_equal(seen.all("Session-Expires"), ["7;refresher=both"], f"Session-Expires of {method}")
        expect_equal(seen.all("Min-SE"), ["3"], f"Min-SE of {method}")
        callee.answer(seen, 200, "OK", ["Session-Expires: 9"], tag="b")
        expect_equal(caller.response(200, method).all("Session-Expires"), ["9"], f"Session-Expires of its 200")

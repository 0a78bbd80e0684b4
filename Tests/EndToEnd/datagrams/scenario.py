"""UDP as RFC 3261 §18 and RFC 3581 want it: where answers go, and where a message ends."""

from harness.suite import expect, expect_equal, scenario

FROM, TO = "<sip:a@example.invalid>;tag=a", "<sip:b@example.invalid>"


def peers(stage, *flags):
    return stage.proxy(*flags), stage.user_agent("caller"), stage.user_agent("callee")


def options(agent, uri, call_id, **changes):
    return agent.compose("OPTIONS", uri, call_id, FROM, TO, 1, **changes)


@scenario("an answer goes to the address the request came from, at its port with rport, else at the port of the Via")
def where(stage):
    """D11, D12, D13, D19, D20, D21, D22, G4: names and foreign addresses in the Via are not believed, nor is maddr."""
    proxy, sender, other = peers(stage)
    target = f"sip:{proxy.hostport}"
    for number, (sent_by, parameters, receiver) in enumerate((
        ("phone.invalid:9", ";rport", sender),
        (f"phone.invalid:{other.port}", "", other),
        (f"192.0.2.7:{other.port}", "", other),
        ("192.0.2.7:9", ";rport=77;received=192.0.2.9", sender),
        (f"192.0.2.7:{other.port}", ";received=192.0.2.9", other),
        (f"127.0.0.1:{other.port}", ";maddr=192.0.2.1", other),
    )):
        message = options(sender, target, f"where-{number}@x")
        message = message.replace(f"{sender.hostport};rport".encode(), f"{sent_by}{parameters}".encode())
        sender.send(message, proxy.address)
        via = receiver.response(200).get("Via")
        expect("192.0.2.9" not in via and "rport=77" not in via, f"what the sender claimed is gone from {via}")
        if not sent_by.startswith("127."):
            expect(";received=127.0.0.1" in via, f"received in {via}")
        if "rport" in parameters:
            expect(f";rport={sender.port}" in via, f"rport in {via}")


@scenario("the answer leaves from the socket the request came to")
def same_socket(stage):
    """D9, D20: symmetric, as a NAT needs it."""
    proxy, sender, callee = peers(stage)
    sender.send(options(sender, f"sip:{proxy.hostport}", "same@x"), proxy.address)
    expect_equal(sender.response(200).source[:2], proxy.address, "source of the answer")
    sender.send(options(sender, callee.uri, "same-2@x"), proxy.address)
    expect_equal(callee.request("OPTIONS").source[:2], proxy.address, "source of the forwarded request")


@scenario("octets behind the body are cut off, a short body is refused, an open one runs to the end")
def framing(stage):
    """D28, D29, D30, D37, E41, B8: the body is binary and counted in octets."""
    proxy, sender, callee = peers(stage)
    body = b"\x00\xffabc\r\n"
    message = sender.compose("MESSAGE", callee.uri, "frame-1@x", FROM, TO, 1, body=body)
    sender.send(message + b"INVITE sip:hidden@x SIP/2.0\r\n\r\n", proxy.address)
    expect_equal(callee.request("MESSAGE").body, body, "the body without what followed it")
    sender.send(message.replace(b"frame-1", b"frame-2")[:-1], proxy.address)
    expect_equal(sender.response(400).status, 400, "a datagram shorter than its Content-Length")
    message = sender.compose("MESSAGE", callee.uri, "frame-3@x", FROM, TO, 1, body=body + b"more")
    sender.send(message.replace(b"Content-Length: %d\r\n" % len(body + b"more"), b""), proxy.address)
    seen = callee.receive(lambda m: m.get("Call-ID") == "frame-3@x", "MESSAGE without Content-Length")
    expect_equal(seen.body, body + b"more", "the open body")


@scenario("large datagrams pass whole")
def large(stage):
    """D5, D6, D7, E42: 60,000 bytes in and out (the size rule switched off); a response that large, too."""
    proxy, sender, callee = peers(stage, "--udp-mtu", "65535")
    body = bytes(range(256)) * 230
    sender.send(sender.compose("MESSAGE", callee.uri, "large@x", FROM, TO, 1, body=body), proxy.address)
    seen = callee.request("MESSAGE")
    expect_equal(seen.body, body, "the body")
    callee.answer(seen, 200, "OK", ["X-Large: " + "y" * 6000])
    expect_equal(len(sender.response(200).get("X-Large")), 6000, "the header field of the answer")


@scenario("malformed requests get 400 or silence, malformed responses only silence")
def malformed(stage):
    """E4, E14, E18, E19, E20, E21, E23, E43, D29, D68: and the next good request is answered."""
    proxy, sender, callee = peers(stage)
    good = options(sender, callee.uri, "bad@x")
    for number, (old, new) in enumerate((
        (b"\r\n", b"\n"), (b" SIP/2.0\r\n", b"  SIP/2.0\r\n"), (b"From: <sip:a", b"From: \"open <sip:a"),
        (b";tag=a", b";tag=a;tag=b"), (b"CSeq: 1 OPTIONS\r\n", b"CSeq: 1 OPTIONS\r\nCSeq: 1 OPTIONS\r\n"),
        (b";rport;branch=", b";;branch="), (b"To: ", b"Tu: "), (b"SIP/2.0/UDP", b"SIP/2.0/UDP "),
    )):
        sender.send(good.replace(b"bad@x", b"bad-%d@x" % number).replace(old, new, 1 if old != b"\r\n" else -1), proxy.address)
    for rubbish in (b"", b"\r\n\r\n", b"\0\0\0\0", b"hello", b"SIP/2.0 200 OK\r\n\r\n", b"SIP/2.0 99 X\r\nVia: x\r\n\r\n"):
        sender.send(rubbish, proxy.address)
    sender.silence(0.5, besides=lambda m: m.status in (400, 505))
    sender._waiting.clear()
    callee._waiting.clear()
    sender.send(options(sender, f"sip:{proxy.hostport}", "good@x"), proxy.address)
    sender.response(200)


@scenario("another version of SIP gets 505")
def version(stage):
    """E3."""
    proxy, sender, callee = peers(stage)
    sender.send(options(sender, callee.uri, "v3@x").replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1), proxy.address)
    expect_equal(sender.final("OPTIONS").status, 505, "SIP/7.0")
    callee.silence(0.2)


@scenario("nothing from the network reaches the log unescaped")
def log(stage):
    """G12: control characters in Call-IDs, methods and reasons do not forge lines."""
    proxy, sender, callee = peers(stage, "--log-level", "debug")
    sender.send(options(sender, callee.uri, "log\x1b[31m\x07\x00forged@x"), proxy.address)
    sender.send(options(sender, callee.uri, "log-2@x").replace(b"CSeq: 1", b"CSeq: \x1b[0m1"), proxy.address)
    sender.silence(0.5, besides=lambda m: True)
    text = proxy.log.read_bytes()
    expect(not any(byte in text for byte in (0x1B, 0x07, 0x00)), f"control characters in {text[-400:]!r}")

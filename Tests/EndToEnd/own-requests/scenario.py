"""Requests whose addressee is the proxy itself."""

from harness.suite import expect, expect_equal, scenario


def ask(agent, proxy, method, uri, headers=(), **options):
    message = agent.compose(
        method, uri, f"own-{agent.port}-{method}-{len(agent.log)}@example.org", "<sip:peer@example.org>;tag=p",
        f"<{uri}>", 1, headers, **options)
    agent.send(message, proxy.address)
    return agent.final(method)


@scenario("an OPTIONS ping is answered 200")
def ping(stage):
    """B3, B14: the health probe of a peer; To gets a tag, the Via comes back with received and rport (D12)."""
    proxy, agent = stage.proxy(), stage.user_agent("peer")
    answer = ask(agent, proxy, "OPTIONS", f"sip:{proxy.hostport}")
    expect_equal(answer.status, 200, "OPTIONS")
    expect(answer.tag("To"), "the answer's To has a tag")
    via = answer.get("Via")
    expect(f";rport={agent.port}" in via and f";received={agent.host}" in via, f"received and rport in {via}")


@scenario("any other request to the proxy itself gets 404, an exhausted one 483")
def others(stage):
    """B14, B40: nothing of ours answers calls; Max-Forwards 0 is not forwarded."""
    proxy, agent, callee = stage.proxy(), stage.user_agent("peer"), stage.user_agent("callee")
    expect_equal(ask(agent, proxy, "MESSAGE", f"sip:{proxy.hostport}").status, 404, "MESSAGE to the proxy")
    expect_equal(ask(agent, proxy, "OPTIONS", f"sip:someone@{proxy.hostport}").status, 404, "OPTIONS to a user here")
    expect_equal(ask(agent, proxy, "OPTIONS", callee.uri, max_forwards=0).status, 483, "Max-Forwards 0")
    callee.silence(0.2)


@scenario("an unknown extension is refused, those we know are not")
def extensions(stage):
    """A47, A48, B23, B25: Proxy-Require names what we lack; `timer` is understood; Require is not ours to judge."""
    proxy, agent, callee = stage.proxy(), stage.user_agent("peer"), stage.user_agent("callee")
    refusal = ask(agent, proxy, "OPTIONS", callee.uri, ["Proxy-Require: timer, teleport"])
    expect_equal(refusal.status, 420, "an unknown Proxy-Require")
    expect_equal(refusal.listed("Unsupported"), ["teleport"], "Unsupported")
    call_headers = ["Proxy-Require: timer", "Require: timer, teleport"]
    agent.send(
        agent.compose("OPTIONS", callee.uri, "ext-2@example.org", "<sip:p@example.org>;tag=p", f"<{callee.uri}>", 1,
                      call_headers), proxy.address)
    expect_equal(callee.request("OPTIONS").get("Require"), "timer, teleport", "Require as it came")


@scenario("a malformed request is told which field is wrong")
def malformed(stage):
    """B9, E18, E27: 400 whose reason names the field; the proxy goes on."""
    proxy, agent = stage.proxy(), stage.user_agent("peer")
    good = agent.compose(
        "OPTIONS", f"sip:{proxy.hostport}", "bad@example.org", "<sip:p@example.org>;tag=p", "<sip:q@example.org>", 1)
    for old, new, field in (
        (b"CSeq: 1 OPTIONS", b"CSeq: 1 INFO", "CSeq"),
        (b"CSeq: 1 OPTIONS", b"CSeq: 4294967296 OPTIONS", "CSeq"),
        (b"Call-ID: bad@example.org\r\n", b"", "Call-ID"),
        (b"Max-Forwards: 70", b"Max-Forwards: seventy", "Max-Forwards"),
    ):
        agent.send(good.replace(old, new), proxy.address)
        answer = agent.response(400)
        expect(field.lower() in answer.start_line.lower(), f"{answer.start_line!r} names {field}")
    expect_equal(ask(agent, proxy, "OPTIONS", f"sip:{proxy.hostport}").status, 200, "OPTIONS afterwards")

"""RFC 3263: requests to names, over a DNS server of our own."""

import statistics
import time

from harness.call import Call
from harness.dns import a, naptr, srv
from harness.suite import expect, expect_equal, scenario

FROM, TO = "<sip:a@example.invalid>;tag=a", "<sip:b@example.invalid>"


def world(stage, *flags):
    """A DNS server, a proxy that asks it, and a caller."""
    dns = stage.dns()
    return dns, stage.proxy("--dns-server", dns.hostport, *flags), stage.user_agent("caller")


def invite(caller, proxy, uri, call_id):
    return caller.send(caller.compose("INVITE", uri, call_id, FROM, TO, 1), proxy.address)


@scenario("a name with NAPTR, SRV and A records leads to its server, and the next call asks nothing")
def full(stage):
    """D51, D54, D57: the whole procedure once, then the cache."""
    dns, proxy, caller = world(stage)
    callee = stage.user_agent("callee")
    dns.zone.update({
        "example.com": [naptr(10, 10, "SIP+D2U", "_sip._udp.pool.example.com")],
        "_sip._udp.pool.example.com": [srv(1, 1, callee.port, "box.example.com")],
        "box.example.com": [a("127.0.0.1")],
    })
    for number in range(3):
        invite(caller, proxy, "sip:b@example.com", f"name-{number}@x")
        seen = callee.request("INVITE")
        expect_equal(seen.uri, "sip:b@example.com", "Request-URI")
        callee.answer(seen, 486, "Busy Here")
        expect_equal(caller.final("INVITE").status, 486, "final response")
    expect_equal(
        dns.asked, [("example.com", "NAPTR"), ("_sip._udp.pool.example.com", "SRV"), ("box.example.com", "A")],
        "questions")


@scenario("a name with a port asks for addresses alone; one without any record gets an answer")
def addresses(stage):
    """D52, D53."""
    dns, proxy, caller = world(stage)
    callee = stage.user_agent("callee")
    dns.zone["box.example.com"] = [a("127.0.0.1")]
    invite(caller, proxy, f"sip:b@box.example.com:{callee.port}", "port-1@x")
    callee.answer(callee.request("INVITE"), 486, "Busy Here")
    expect_equal(caller.final("INVITE").status, 486, "final response")
    expect_equal(dns.asked, [("box.example.com", "A")], "questions")
    invite(caller, proxy, "sip:b@nowhere.example.com", "port-2@x")
    expect(caller.final("INVITE").status >= 400, "a name that does not exist")


@scenario("a server that answers 503 is passed over for the next one, by a new branch")
def failover(stage):
    """D54, D55: by priority; 503 is never forwarded as long as another server is left."""
    dns, proxy, caller = world(stage)
    first, second = stage.user_agent("first"), stage.user_agent("second")
    dns.zone.update({
        "_sip._udp.example.com": [srv(1, 1, first.port, "one.example.com"), srv(2, 1, second.port, "two.example.com")],
        "one.example.com": [a("127.0.0.1")],
        "two.example.com": [a("127.0.0.1")],
    })
    invite(caller, proxy, "sip:b@example.com", "over-1@x")
    tried = first.request("INVITE")
    first.answer(tried, 503, "Service Unavailable")
    taken = second.request("INVITE")
    expect(tried.branch() != taken.branch(), "the branch is the same")
    second.answer(taken, 486, "Busy Here")
    expect_equal(caller.final("INVITE").status, 486, "final response")


@scenario("a dead server is passed over for the next one, and tried last afterwards")
def dead(stage):
    """D54, D55: nobody listens at the first one, which the kernel reports at once."""
    dns, proxy, caller = world(stage)
    callee = stage.user_agent("callee")
    dns.zone.update({
        "_sip._udp.example.com": [srv(1, 1, stage.port(), "one.example.com"), srv(2, 1, callee.port, "two.example.com")],
        "one.example.com": [a("127.0.0.1")],
        "two.example.com": [a("127.0.0.1")],
    })
    for number in range(2):
        invite(caller, proxy, "sip:b@example.com", f"dead-{number}@x")
        callee.answer(callee.request("INVITE", within=8), 486, "Busy Here")
        expect_equal(caller.final("INVITE").status, 486, "final response")


@scenario("the next hop may be a name, located before the first call")
def next_hop(stage):
    """B59, D57."""
    dns = stage.dns()
    hop = stage.user_agent("hop")
    dns.zone.update({
        "_sip._udp.edge.example.com": [srv(1, 1, hop.port, "box.example.com")],
        "box.example.com": [a("127.0.0.1")],
    })
    proxy = stage.proxy("--dns-server", dns.hostport, "--next-hop", "sip:edge.example.com;lr")
    caller = stage.user_agent("caller", "127.0.0.2")
    invite(caller, proxy, "sip:b@away.invalid", "hop-1@x")
    seen = hop.request("INVITE")
    expect_equal(seen.uri, "sip:b@away.invalid", "Request-URI")
    expect(any("edge.example.com" in value for value in seen.listed("Route")), "the Route names the next hop")


@scenario("with the DNS silent calls to addresses go on as ever, and the call to a name gets its answer in time")
def silence(stage):
    """D57, G10: 200 names nobody answers for, while pings and a call go through."""
    dns, proxy, caller = world(stage)
    dns.is_silent = True
    pinger, callee = stage.user_agent("pinger"), stage.user_agent("callee")

    def ping(number):
        start = time.monotonic()
        pinger.send(
            pinger.compose("OPTIONS", f"sip:{proxy.hostport}", f"ping-{number}@x", FROM, TO, number + 1), proxy.address)
        expect_equal(pinger.final("OPTIONS").status, 200, "OPTIONS to the proxy")
        return time.monotonic() - start

    quiet = [ping(number) for number in range(200)]
    asked = time.monotonic()
    for number in range(200):
        invite(caller, proxy, f"sip:b@n{number}.example.com", f"silent-{number}@x")
    noisy, number = [], 1000
    while time.monotonic() < asked + 4:
        noisy.append(ping(number))
        number += 1
        if number % 100 == 0:
            call = Call(proxy, stage.user_agent("a"), callee).set_up()
            call.hang_up()
        time.sleep(0.002)
    answers = {}
    while len(answers) < 200:
        seen = caller.receive(lambda m: (m.status or 0) >= 300, "an answer for a name", within=8)
        answers.setdefault(seen.get("Call-ID"), time.monotonic() - asked)
    expect(max(answers.values()) < 8, f"the last answer came after {max(answers.values()):.1f} s")
    # What a busy machine adds is in both figures: the middle one must not move, and few may stand out.
    worst, before = statistics.quantiles(noisy, n=100)[97], statistics.quantiles(quiet, n=100)[97]
    print(f"pings: median {statistics.median(noisy) * 1000:.2f} ms, 98 of 100 within {worst * 1000:.2f} ms, "
          f"quiet {before * 1000:.2f} ms, longest {max(noisy) * 1000:.2f} ms of {len(noisy)}")
    expect(statistics.median(noisy) < 0.005 + statistics.median(quiet), "pings take longer while the DNS is silent")
    expect(worst < 0.005 + before, "pings stall while the DNS is silent")

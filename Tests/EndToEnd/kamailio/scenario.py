"""Kamailio before and behind the proxy: two brands of record-routing proxy in one call."""

from harness.call import Call
from harness.suite import eventually, expect_equal, scenario
from harness.wire import Message

TIMER = ["Supported: timer", "Session-Expires: 1800"]
AGREED = ["Session-Expires: 1800;refresher=uac", "Require: timer"]
BEHIND, BEFORE = "127.0.0.3", "127.0.0.4"
BOTH = ("udp", "tcp")


def parameter(transport):
    return ";transport=tcp" if transport == "tcp" else ""


def behind(stage, transport="udp"):
    """caller - callkeeper - Kamailio - callee, `transport` between the proxies; (proxy, first hop, hops in order)."""
    hop = stage.kamailio(BEHIND, transports=BOTH)
    proxy = stage.proxy("--next-hop", f"sip:{hop.hostport}{parameter(transport)};lr", transports=needed(transport))
    return proxy, proxy, [proxy, hop]


def before(stage, transport="udp"):
    """caller - Kamailio - callkeeper - callee."""
    proxy = stage.proxy(transports=needed(transport))
    hop = stage.kamailio(BEFORE, next_hop=f"sip:{proxy.hostport}{parameter(transport)}", transports=BOTH)
    return proxy, hop, [hop, proxy]


def around(stage, transport="udp"):
    """caller - Kamailio - callkeeper - Kamailio - callee."""
    last = stage.kamailio(BEHIND, transports=BOTH)
    proxy = stage.proxy("--next-hop", f"sip:{last.hostport}{parameter(transport)};lr", transports=needed(transport))
    first = stage.kamailio(BEFORE, next_hop=f"sip:{proxy.hostport}{parameter(transport)}", transports=BOTH)
    return proxy, first, [first, proxy, last]


def needed(transport):
    return ("udp",) if transport == "udp" else BOTH


def expect_path(call, sender, request, hops):
    """The request came through exactly these hops, and no Route is left of them."""
    places = [via.split(";")[0].split()[-1] for via in request.listed("Via")]
    expect_equal(places, [hop.hostport for hop in reversed(hops)] + [call.agents(sender)[0].hostport], "Via")
    expect_equal(request.listed("Route"), [], "Route left over")


def agent(stage, name, transport):
    return stage.user_agent(name) if transport == "udp" else stage.stream_agent(name)


def changes(transports):
    """How many hops bridge two transports: these are the transports of the links in order."""
    return sum(before != behind for before, behind in zip(transports, transports[1:]))


def refreshed_calls(stage, chain, caller="udp", between="udp", callee="udp"):
    """Calls that each side refreshes by each method, hung up by each side, over these transports."""
    proxy, first, hops = chain(stage, between)
    links = [caller] + [between] * (len(hops) - 1) + [callee]
    caller, callee = agent(stage, "caller", caller), agent(stage, "callee", callee)
    for hanger in ("caller", "callee"):
        call = Call(first, caller, callee).set_up(TIMER, AGREED, ring=True)
        expect_path(call, "caller", call.invite_seen, hops)
        expect_equal(len(call.routes["caller"]), len(hops) + changes(links), "values of Record-Route")
        expect_equal(call.success_seen.get("Session-Expires"), "1800;refresher=uac", "Session-Expires of the answer")
        expect_equal(proxy.counts(), {"active": 1, "early": 0, "timed": 1, "untimed": 0}, "counters in the call")
        for side in ("caller", "callee"):
            for method in ("INVITE", "UPDATE"):
                request, response = call.refresh(method, side, ["Supported: timer", AGREED[0]], AGREED)
                expect_path(call, side, request, hops if side == "caller" else hops[::-1])
                expect_equal(response.status, 200, f"{method} of the {side}")
        expect_equal(proxy.count(), 1, "dialogs after four refreshes")
        call.hang_up(hanger)
        eventually(proxy.count, lambda n: n == 0, f"dialogs after the BYE of the {hanger}")


def cancelled_call(stage, chain):
    """A call given up while it rings: CANCEL, 487 and its ACK pass hop by hop."""
    proxy, first, _ = chain(stage)
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    call = Call(first, caller, callee)
    sent = Message(call.send_invite(TIMER))
    ringing = callee.request("INVITE")
    callee.answer(ringing, 180, "Ringing")
    caller.response(180)
    eventually(proxy.counts, lambda c: c["early"] == 1, "early dialogs while it rings")
    cancel = caller.compose(
        "CANCEL", sent.uri, call.call_id, sent.get("From"), sent.get("To"), call.cseq["caller"], branch=sent.branch())
    caller.send(cancel, first.address)
    caller.response(200, "CANCEL")
    callee.answer(callee.request("CANCEL"), 200, "OK")
    callee.answer(ringing, 487, "Request Terminated")
    callee.request("ACK")
    refused = caller.response(487, "INVITE")
    caller.send(
        caller.compose("ACK", sent.uri, call.call_id, sent.get("From"), refused.get("To"), call.cseq["caller"],
                       branch=sent.branch()), first.address)
    eventually(proxy.counts, lambda c: c["active"] == c["early"] == 0, "dialogs after the CANCEL")


@scenario("with Kamailio as the next hop, calls are refreshed and hung up by both sides")
def next_hop(stage):
    """B31, B34, B49, B59, F16: our Route is taken off, Kamailio's stays; no hop is left out in either direction."""
    refreshed_calls(stage, behind)


@scenario("with Kamailio as the previous hop, calls are refreshed and hung up by both sides")
def previous_hop(stage):
    """B31, B34, B49, F16: our Record-Route stands on top of Kamailio's."""
    refreshed_calls(stage, before)


@scenario("with Kamailio on both sides, calls are refreshed and hung up by both sides")
def both(stage):
    """B31, B34, B49, B59, F16."""
    refreshed_calls(stage, around)


@scenario("a CANCEL passes Kamailio as next hop, as previous hop, and on both sides")
def cancel(stage):
    """B95-B98: one hop after the other answers the CANCEL, and every INVITE transaction ends with 487."""
    for chain in (behind, before, around):
        cancelled_call(stage, chain)


@scenario("with Kamailio on either side, calls over TCP are refreshed and hung up by both sides")
def over_tcp(stage):
    """B31, B34, B49, B59, F16: TCP on all links."""
    for chain in (behind, before, around):
        refreshed_calls(stage, chain, "tcp", "tcp", "tcp")


@scenario("with Kamailio on either side, UDP and TCP may follow each other in any order")
def mixed(stage):
    """B54, F16: every hop between two transports, ours or Kamailio's, writes two values and takes both off again."""
    refreshed_calls(stage, behind, "udp", "tcp", "tcp")
    refreshed_calls(stage, behind, "tcp", "udp", "udp")
    refreshed_calls(stage, before, "udp", "tcp", "udp")
    refreshed_calls(stage, before, "tcp", "tcp", "udp")
    refreshed_calls(stage, around, "udp", "tcp", "udp")
    refreshed_calls(stage, around, "tcp", "udp", "tcp")

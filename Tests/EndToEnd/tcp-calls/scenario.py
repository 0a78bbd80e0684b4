"""Calls over TCP: sipp on both sides, user agents of our own, and one transport on each side."""

import time

from harness.call import Call
from harness.sipp import run_pair
from harness.suite import eventually, expect, expect_equal, scenario

TIMER = ["Supported: timer", "Session-Expires: 1800"]
AGREED = ["Session-Expires: 1800;refresher=uac", "Require: timer"]


def agent(stage, name, transport):
    return stage.user_agent(name) if transport == "udp" else stage.stream_agent(name)


def sipp_pair(stage, folder, suffix="", mode="t1", **options):
    proxy = stage.proxy(transports=("udp", "tcp"))
    caller = stage.sipp("caller", f"../{folder}/uac{suffix}.xml", transport=mode, **options)
    callee = stage.sipp("callee", f"../{folder}/uas{suffix}.xml", transport="t1", **options)
    run_pair(proxy, caller, callee)
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")
    return callee


@scenario("100 calls of sipp over one TCP connection")
def one_connection(stage):
    """B49, D17, D41, F22: set up, counted, hung up."""
    callee = sipp_pair(stage, "plain-call", calls=100, rate=50)
    expect_equal(len(callee.received("INVITE")), 100, "INVITE at the callee: none is repeated over TCP")
    expect(all(m.listed("Via")[0].startswith("SIP/2.0/TCP") for m in callee.received("INVITE")), "Via names TCP")


@scenario("100 calls of sipp, each over a TCP connection of its own")
def many_connections(stage):
    """D17, D72: each answer finds the connection of its request, each BYE that of its call."""
    callee = sipp_pair(stage, "plain-call", mode="tn", calls=100, rate=50)
    expect_equal(len(callee.received("BYE")), 100, "BYE at the callee")


@scenario("re-INVITE and UPDATE of either sipp refresh a session over TCP")
def refreshes(stage):
    """A28, A61, B31, B49, D72: the four ways, ten calls each."""
    for folder in ("refresh-by-caller", "refresh-by-callee"):
        for suffix in ("-reinvite", "-update"):
            sipp_pair(stage, folder, suffix, calls=10)


def refreshed_call(stage, before, behind):
    """A call refreshed by each side by each method and hung up by each side; returns its agents."""
    proxy = stage.proxy(transports=("udp", "tcp"))
    caller, callee = agent(stage, "caller", before), agent(stage, "callee", behind)
    for hanger in ("caller", "callee"):
        call = Call(proxy, caller, callee).set_up(TIMER, AGREED, ring=True)
        expect(call.invite_seen.listed("Via")[0].startswith(f"SIP/2.0/{behind.upper()} "), "Via names the transport")
        ours = call.invite_seen.listed("Record-Route")
        expect_equal(len(ours), 1 if before == behind else 2, "values of Record-Route")
        for value, transport in zip(ours, (behind, before)):
            expect_equal("transport=tcp" in value, transport == "tcp", f"TCP in {value}")
        for side in ("caller", "callee"):
            for method in ("INVITE", "UPDATE"):
                request, response = call.refresh(method, side, TIMER, AGREED)
                expect_equal(request.listed("Route"), [], f"Route of the {side}'s {method}")
                expect_equal(response.status, 200, f"{method} of the {side}")
        expect_equal(proxy.counts(), {"active": 1, "early": 0, "timed": 1, "untimed": 0}, "counters in the call")
        call.hang_up(hanger)
        eventually(proxy.count, lambda n: n == 0, f"dialogs after the BYE of the {hanger}")
    return proxy, caller, callee


@scenario("a call over TCP on both sides needs one connection of each party")
def tcp_to_tcp(stage):
    """D17, D41, D72: the proxy opens one to the callee, none to the caller whose flow it has."""
    _, caller, callee = refreshed_call(stage, "tcp", "tcp")
    expect_equal([one.opened for one in caller.connections], [True], "the caller's connections: its own")
    accepted = [one for one in callee.connections if not one.opened]
    expect_equal(len(accepted), 1, "connections that the proxy opened to the callee")


@scenario("UDP on one side and TCP on the other are bridged with one Record-Route value for each")
def bridged(stage):
    """B54, F16: in-dialog requests of each side come over its own transport and leave over the other."""
    refreshed_call(stage, "udp", "tcp")
    refreshed_call(stage, "tcp", "udp")


@scenario("a connection that is closed in the middle of a call is opened again by whoever needs it")
def reopened(stage):
    """D18, D45, F16: by the proxy toward the callee, by the caller toward the proxy."""
    proxy = stage.proxy(transports=("tcp",))
    caller, callee = stage.stream_agent("caller"), stage.stream_agent("callee")
    call = Call(proxy, caller, callee).set_up(TIMER, AGREED)
    callee.connections[0].close()
    time.sleep(0.2)
    call.refresh("UPDATE", "caller", TIMER, AGREED)
    expect_equal(len(callee.connections), 2, "connections that the callee saw")
    caller.connections[0].close()
    call.refresh("UPDATE", "caller", TIMER, AGREED)
    expect_equal(len(caller.connections), 2, "connections that the caller opened")
    call.hang_up("caller")
    eventually(proxy.count, lambda n: n == 0, "dialogs after the BYE")


@scenario("an answer and a CANCEL find their way after the connection of their INVITE broke")
def broken_while_ringing(stage):
    """D18, D23, D45: the answer by a connection to where the caller listens, the CANCEL by one to the callee."""
    proxy = stage.proxy(transports=("tcp",))
    caller, callee = stage.stream_agent("caller"), stage.stream_agent("callee")
    call = Call(proxy, caller, callee)
    call.send_invite()
    invite = callee.request("INVITE")
    caller.connections[0].reset()
    time.sleep(0.2)
    callee.answer(invite, 200, "OK", tag=call.tags["callee"])
    caller.response(200, "INVITE")
    eventually(proxy.count, lambda n: n == 1, "dialogs after the 2xx")
    cancelled = Call(proxy, caller, callee)
    cancelled.send_invite()
    ringing = callee.request("INVITE")
    callee.answer(ringing, 180, "Ringing")
    sent = caller.response(180)
    ringing.source.reset()
    time.sleep(0.2)
    cancel = caller.compose(
        "CANCEL", callee.uri, cancelled.call_id, sent.get("From"), cancelled.party("callee", with_tag=False),
        cancelled.cseq["caller"], branch=sent.branch())
    caller.send(cancel, proxy.address)
    caller.response(200, "CANCEL")
    expect_equal(callee.request("CANCEL").branch(), ringing.branch(), "branch of the CANCEL")


@scenario("a call over TCP whose BYE is lost ends with its session, and its idle connections stay", slow=True)
def lost_bye(stage):
    """A86, A89, D40: at 90 s, and the connections are still good for the next call."""
    proxy = stage.proxy(transports=("tcp",))
    caller, callee = stage.stream_agent("caller"), stage.stream_agent("callee")
    before = time.monotonic()
    Call(proxy, caller, callee).set_up(
        ["Supported: timer", "Session-Expires: 90"], ["Session-Expires: 90;refresher=uac", "Require: timer"])
    after = time.monotonic()
    time.sleep(max(0, before + 89.5 - time.monotonic()))
    expect_equal(proxy.count(), 1, "dialogs half a second before the session expires")
    time.sleep(max(0, after + 91.1 - time.monotonic()))
    expect_equal(proxy.count(), 0, "dialogs 1.1 s after the session expired")
    Call(proxy, caller, callee).set_up().hang_up()
    expect_equal((len(caller.connections), len(callee.connections)), (1, 1), "connections")

"""RFC 3261 §17: what a repeated message meets, seen from outside."""

from harness.call import Call
from harness.suite import expect, expect_equal, scenario

FROM, TO = "<sip:a@example.invalid>;tag=a", "<sip:b@example.invalid>"


def peers(stage, *flags):
    return stage.proxy(*flags), stage.user_agent("caller"), stage.user_agent("callee")


@scenario("a repeated INVITE gets the last provisional, later nothing, and never reaches the callee")
def invite(stage):
    """C27, C29, C49, C54, B2: absorbed in Proceeding and in Accepted; another sent-by is another transaction."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee)
    sent = call.send_invite()
    seen = callee.request("INVITE")
    callee.answer(seen, 183, "Session Progress", tag="b")
    caller.response(183)
    caller.send(sent, proxy.address)
    caller.response(183)
    callee.answer(seen, 200, "OK", tag="b")
    caller.response(200)
    caller.send(sent, proxy.address)
    caller.silence(0.3)
    callee.silence(0.1)
    expect_equal(proxy.count(), 1, "dialogs")


@scenario("a refusal is repeated until its ACK, which stops at the proxy")
def refusal(stage):
    """C7, C32, C33, C34, B105: Timer G repeats; the ACK of the caller ends it; further ACKs are absorbed."""
    proxy, caller, callee = peers(stage, "--t1", "100")
    call = Call(proxy, caller, callee)
    sent = call.send_invite()
    seen = callee.request("INVITE")
    callee.answer(seen, 486, "Busy Here", tag="b")
    first = caller.response(486)
    expect_equal(caller.response(486, within=1).raw, first.raw, "the repeated 486")
    callee.request("ACK")
    caller.send(sent, proxy.address)
    expect_equal(caller.response(486, within=1).raw, first.raw, "the answer to a repeated INVITE")
    ack = caller.compose(
        "ACK", callee.uri, call.call_id, call.party("caller"), first.get("To"), 1, branch=first.branch())
    caller.send(ack, proxy.address)
    caller.send(ack, proxy.address)
    while caller._waiting:
        caller._waiting.pop()
    caller.silence(0.1, besides=lambda m: m.status == 486)
    caller._waiting.clear()
    caller.silence(0.9)
    callee.silence(0.1, besides=lambda m: m.method == "ACK" and m.branch() == seen.branch())


@scenario("a repeated 486 of the callee is acknowledged again and not forwarded again")
def repeated_refusal(stage):
    """C18, C19, C22: the proxy's ACK is the same each time."""
    proxy, caller, callee = peers(stage)
    Call(proxy, caller, callee).send_invite()
    seen = callee.request("INVITE")
    acks = set()
    for _ in range(3):
        callee.answer(seen, 486, "Busy Here", tag="b")
        acks.add(callee.request("ACK").raw)
    expect_equal(len(acks), 1, "different ACKs for one 486")
    expect_equal(next(iter(acks)).count(b"\r\nVia:"), 1, "Via rows of the ACK")


@scenario("an unanswered request is repeated with the same bytes")
def repeated_request(stage):
    """A53, C1, C5, C14, C36: doubling from T1; the callee sees one request, not several."""
    proxy, caller, callee = peers(stage, "--t1", "100")
    Call(proxy, caller, callee).send_invite(["Supported: timer", "Session-Expires: 2000"])
    first = callee.request("INVITE")
    for _ in range(2):
        expect_equal(callee.request("INVITE", within=1).raw, first.raw, "the repeated INVITE")
    expect_equal(first.get("Session-Expires"), "1800", "Session-Expires lowered once (A29)")
    caller.send(caller.compose("MESSAGE", callee.uri, "m@x", FROM, TO, 1), proxy.address)
    message = callee.request("MESSAGE")
    expect_equal(callee.request("MESSAGE", within=1).raw, message.raw, "the repeated MESSAGE")


@scenario("a repeated non-INVITE gets the same final again")
def non_invite(stage):
    """C10, C38, C40, C42: from the server transaction; the callee hears it once."""
    proxy, caller, callee = peers(stage)
    sent = caller.send(caller.compose("MESSAGE", callee.uri, "twice@x", FROM, TO, 1), proxy.address)
    seen = callee.request("MESSAGE")
    callee.answer(seen, 202, "Accepted", tag="b")
    first = caller.response(202)
    callee.answer(seen, 404, "Changed my mind", tag="b")
    caller.send(sent, proxy.address)
    expect_equal(caller.response(202).raw, first.raw, "the repeated final")
    caller.silence(0.3)
    callee.silence(0.1)


@scenario("a peer of RFC 2543 without branch is matched by its fields")
def old_peer(stage):
    """C51, C52, E32, E34, F6: no magic cookie, no From tag; retransmissions and ACK still find their transaction."""
    proxy, caller, callee = peers(stage)
    text = caller.compose("INVITE", callee.uri, "old@x", "<sip:a@example.invalid>", TO, 1)
    branch = text.split(b";branch=")[1].split(b"\r\n")[0]
    text = text.replace(b";branch=" + branch, b"")
    caller.send(text, proxy.address)
    seen = callee.request("INVITE")
    callee.answer(seen, 180, "Ringing", tag="b")
    caller.response(180)
    caller.send(text, proxy.address)
    caller.response(180)
    callee.silence(0.2)
    callee.answer(seen, 486, "Busy Here", tag="b")
    refusal_seen = caller.response(486)
    ack = text.replace(b"INVITE sip", b"ACK sip", 1).replace(b"1 INVITE", b"1 ACK")
    ack = ack.replace(b"To: " + TO.encode(), b"To: " + refusal_seen.get("To").encode())
    caller.send(ack, proxy.address)
    callee.request("ACK")
    caller.silence(0.8)
    expect(proxy.is_running, "the proxy runs")

"""RFC 3261 §16.7 with RFC 6026 and RFC 4320: which responses pass, and how."""

import time

from harness.call import Call
from harness.suite import expect, expect_equal, scenario

FROM, TO = "<sip:a@example.invalid>;tag=a", "<sip:b@example.invalid>"


def peers(stage, *flags):
    return stage.proxy(*flags), stage.user_agent("caller"), stage.user_agent("callee")


@scenario("a stray response is never forwarded")
def stray(stage):
    """B67, B69, B70, D25, D26, G3: unknown branch, foreign top Via, only one Via: silence in every direction."""
    proxy, victim, sender = peers(stage)
    rest = f"From: {FROM}\r\nTo: {TO};tag=b\r\nCall-ID: stray@x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    second = f"Via: SIP/2.0/UDP {victim.hostport};branch=z9hG4bK-v\r\n"
    for top in (f"Via: SIP/2.0/UDP {proxy.hostport};branch=z9hG4bK-guess\r\n",
                "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-other\r\n", ""):
        for status in ("200 OK", "180 Ringing", "486 Busy Here"):
            sender.send(f"SIP/2.0 {status}\r\n{top}{second}{rest}", proxy.address)
    victim.silence(0.5)
    sender.silence(0.1)


@scenario("provisional responses pass at once, 100 never")
def provisional(stage):
    """A68, B72, B73, B82, B83, C16: the callee's 100 stops at the proxy; 180 and 183 keep their To tags."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee)
    call.send_invite(["Supported: timer"])
    invite = callee.request("INVITE")
    callee.answer(invite, 100, "Trying from afar")
    for status, tag in ((180, "t1"), (183, "t2"), (199, "t3")):
        callee.answer(invite, status, "Early", tag=tag)
        seen = caller.response(status)
        expect_equal(seen.tag("To"), tag, f"To tag of {status}")
        expect_equal(seen.all("Session-Expires") + seen.all("Require"), [], f"nothing inserted in {status}")
    callee.answer(invite, 480, "Gone", tag="t1")
    expect_equal(caller.response(480).tag("To"), "t1", "To tag of 480")
    trying = [data for what, _, data in caller.log if what == "received" and data.startswith(b"SIP/2.0 100 ")]
    expect(all(b"from afar" not in data for data in trying), "the callee's 100 was not forwarded")


@scenario("100 comes within 200 ms unless something better does")
def trying(stage):
    """C26, B83: at once is too early when the callee rings at once; late is later than 200 ms."""
    proxy, caller, callee = peers(stage)
    Call(proxy, caller, callee).send_invite(["Timestamp: 54"])
    started = time.monotonic()
    callee.request("INVITE")
    seen = caller.response(100, within=1)
    took = time.monotonic() - started
    expect(took < 0.25, f"100 after {took:.3f} s")
    expect_equal(seen.tag("To"), None, "To tag of 100")
    expect((seen.get("Timestamp") or "").startswith("54"), "Timestamp is copied")


@scenario("a lone 503 becomes 500, other finals pass as they are")
def finals(stage):
    """A60, A67, B80, B81, B88, G27: 3xx is not followed, challenges and the Min-SE of a 422 are not touched."""
    proxy, caller, callee = peers(stage)
    for status, wanted, headers in (
        (503, 500, ["Retry-After: 5"]), (302, 302, ["Contact: <sip:other@127.0.0.1:9>"]), (422, 422, ["Min-SE: 3600"]),
        (401, 401, ['WWW-Authenticate: Digest realm="b", nonce="1,2"', 'WWW-Authenticate: Digest realm="a", nonce="3"']),
        (407, 407, ['Proxy-Authenticate: Digest realm="x", nonce="y"']), (600, 600, []), (699, 699, []),
    ):
        call = Call(proxy, caller, callee)
        call.send_invite(["Supported: timer"])
        invite = callee.request("INVITE")
        callee.answer(invite, status, "Final", headers, tag="b")
        seen = caller.final("INVITE")
        expect_equal(seen.status, wanted, f"the caller's answer to {status}")
        callee.request("ACK")
        if wanted == status:
            for header in headers:
                name = header.split(":")[0]
                expect_equal([f"{name}: {v}" for v in seen.all(name)], [h for h in headers if h.startswith(name)], name)
        caller.send(
            caller.compose("ACK", callee.uri, call.call_id, call.party("caller"), seen.get("To"), 1,
                           branch=seen.branch()), proxy.address)
    expect_equal(proxy.counts(), {"active": 0, "early": 0, "timed": 0, "untimed": 0}, "counters")


@scenario("after a 2xx only further 2xx pass")
def after_success(stage):
    """A75, B74, B75, C20, C21, C24, C28: repeated and forked 2xx are forwarded, a late 180 or 486 is not."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee)
    call.send_invite(["Supported: timer"])
    invite = callee.request("INVITE")
    callee.answer(invite, 200, "OK", tag="b1")
    first = caller.response(200)
    callee.answer(invite, 200, "OK", tag="b1")
    expect_equal(caller.response(200).raw, first.raw, "the repeated 2xx, byte for byte")
    callee.answer(invite, 180, "Late", tag="b2")
    callee.answer(invite, 486, "Late", tag="b3")
    callee.answer(invite, 200, "OK", tag="b4")
    expect_equal(caller.response(200).tag("To"), "b4", "a 2xx of another fork")
    caller.silence(0.3)
    expect_equal(proxy.count(), 2, "dialogs: one for each fork")


@scenario("an INVITE that nobody answers gets 408 after 64*T1")
def unanswered_invite(stage):
    """B5, B79, C2: with T1 = 50 ms that is 3.2 s."""
    proxy, caller, callee = peers(stage, "--t1", "50")
    started = time.monotonic()
    Call(proxy, caller, callee).send_invite()
    final = caller.final("INVITE", within=6)
    took = time.monotonic() - started
    expect_equal(final.status, 408, "the answer to INVITE")
    expect(3.1 <= took <= 4.0, f"408 after {took:.1f} s, not 3.2")


@scenario("another request that nobody answers gets 100 when Timer E has reached T2, and never 408")
def unanswered_others(stage):
    """B68, B79, C6, C39, C44, C45, C47: 100 after 3.5 s by default; with T1 = 50 ms all is over after 3.2 s."""
    proxy, caller, callee = peers(stage)
    started = time.monotonic()
    caller.send(caller.compose("OPTIONS", callee.uri, "silent@x", FROM, TO, 1), proxy.address)
    caller.response(100, "OPTIONS", within=5)
    took = time.monotonic() - started
    expect(3.45 <= took <= 4.0, f"100 after {took:.2f} s, not 3.5")
    hasty = stage.proxy("--t1", "50")
    caller.send(caller.compose("OPTIONS", callee.uri, "hasty@x", FROM, TO, 1), hasty.address)
    seen = callee.receive(lambda m: m.get("Call-ID") == "hasty@x", "OPTIONS")
    caller.silence(4.0)
    callee.answer(seen, 200, "Too late")
    caller.silence(0.3)


@scenario("a callee that cannot be reached is answered for")
def unreachable(stage):
    """B93, D23, D24: a closed port is a transport error or a timeout, never a hang; the proxy goes on."""
    proxy, caller, callee = peers(stage, "--t1", "50")
    port = stage.port()
    caller.send(
        caller.compose("INVITE", f"sip:x@127.0.0.1:{port}", "closed@x", FROM, TO, 1), proxy.address)
    expect(caller.final("INVITE", within=6).status in (408, 500, 503), "a final response")
    Call(proxy, caller, callee).set_up().hang_up()


@scenario("the Reason of a CANCEL is passed on")
def reason(stage):
    """B97, B104: our CANCEL tells the callee why."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee)
    call.send_invite(branch="z9hG4bK-reason")
    invite = callee.request("INVITE")
    callee.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    caller.send(
        caller.compose("CANCEL", callee.uri, call.call_id, call.party("caller"), call.party("callee", False), 1,
                       ["Reason: SIP;cause=200;text=\"elsewhere\""], branch="z9hG4bK-reason"), proxy.address)
    seen = callee.request("CANCEL")
    expect_equal(seen.get("Reason"), 'SIP;cause=200;text="elsewhere"', "Reason")
    callee.answer(seen, 200, "OK", tag="b")
    callee.answer(invite, 200, "The race is lost", tag="b")
    expect_equal(caller.final("INVITE").status, 200, "a 2xx that won the race (B101, F12)")
    expect_equal(proxy.count(), 1, "the dialog of the 2xx")


@scenario("a cancelled branch that never answers does not hang")
def cancelled_silence(stage):
    """B24, B92: 64*T1 after our CANCEL the caller gets its final; Proxy-Require in CANCEL is not looked at."""
    proxy, caller, callee = peers(stage, "--t1", "50")
    call = Call(proxy, caller, callee)
    call.send_invite(branch="z9hG4bK-hang")
    callee.answer(callee.request("INVITE"), 180, "Ringing", tag="b")
    caller.response(180)
    caller.send(
        caller.compose("CANCEL", callee.uri, call.call_id, call.party("caller"), call.party("callee", False), 1,
                       ["Proxy-Require: teleport"], branch="z9hG4bK-hang"), proxy.address)
    caller.response(200, "CANCEL")
    cancel = callee.request("CANCEL")
    expect_equal(cancel.all("Proxy-Require"), [], "Proxy-Require of our CANCEL")
    callee.answer(cancel, 200, "OK", tag="b")
    expect(caller.final("INVITE", within=5).status in (408, 487), "the caller's final response")
    expect_equal(proxy.counts()["early"], 0, "early dialogs")


@scenario("CANCEL of a request other than INVITE has no effect downstream")
def cancel_of_message(stage):
    """B100: answered 200, never challenged, not passed on."""
    proxy, caller, callee = peers(stage)
    for method in ("MESSAGE", "CANCEL"):
        caller.send(
            caller.compose(method, callee.uri, "cancel-m@x", FROM, TO, 1, branch="z9hG4bK-cancel-m"), proxy.address)
    seen = callee.request("MESSAGE")
    caller.response(200, "CANCEL")
    callee.answer(seen, 200, "OK")
    caller.response(200, "MESSAGE")
    callee.silence(0.2)


@scenario("a response must name the method of its request")
def other_method(stage):
    """C48, B70: the right branch with another CSeq method matches nothing."""
    proxy, caller, callee = peers(stage)
    caller.send(caller.compose("MESSAGE", callee.uri, "method@x", FROM, TO, 1), proxy.address)
    seen = callee.request("MESSAGE")
    rows = "".join(f"Via: {value}\r\n" for value in seen.all("Via"))
    rest = f"From: {FROM}\r\nTo: {TO};tag=b\r\nCall-ID: method@x\r\nContent-Length: 0\r\n"
    callee.send(f"SIP/2.0 200 OK\r\n{rows}{rest}CSeq: 1 OPTIONS\r\n\r\n", proxy.address)
    caller.silence(0.3)
    callee.answer(seen, 200, "OK")
    caller.response(200, "MESSAGE")


@scenario("an unknown transport below the top Via and a bare branch cookie do no harm")
def odd_vias(stage):
    """B22, C53, D16: FOO is somebody else's business; `z9hG4bK` alone is refused or matched the old way."""
    proxy, caller, callee = peers(stage)
    message = caller.compose("MESSAGE", callee.uri, "via@x", FROM, TO, 1)
    head, tail = message.split(b"Max-Forwards", 1)
    caller.send(head + b"Via: SIP/2.0/FOO weird.invalid:1;x;branch=z9hG4bKlow\r\nMax-Forwards" + tail, proxy.address)
    seen = callee.request("MESSAGE")
    expect_equal(len(seen.all("Via")), 3, "Via rows")
    callee.answer(seen, 200, "OK")
    expect_equal(len(caller.response(200).all("Via")), 2, "Via rows of the answer")
    caller.send(caller.compose("MESSAGE", callee.uri, "bare@x", FROM, TO, 1, branch="z9hG4bK"), proxy.address)
    caller.silence(0.2, besides=lambda m: m.status == 400)

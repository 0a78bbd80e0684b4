"""RFC 3261 §12 to §15 and RFC 5057: when a dialog begins, changes and ends, seen by its counters."""

from harness.call import Call
from harness.suite import eventually, expect, expect_equal, scenario

TIMER = ["Supported: timer", "Session-Expires: 1800"]
ANSWER = ["Session-Expires: 1800;refresher=uac", "Require: timer"]
NONE = {"active": 0, "early": 0, "timed": 0, "untimed": 0}


def peers(stage, *flags):
    return stage.proxy(*flags), stage.user_agent("caller"), stage.user_agent("callee")


def active(proxy):
    return proxy.counts()["active"]


@scenario("each To tag of a forked INVITE is a dialog with a timer of its own")
def forks(stage):
    """A65, A74, A95, F3, F7, F11: one fork with a timer, one without, one only ringing; repeated 2xx count once."""
    proxy, caller, callee = peers(stage, "--session-expires", "off")
    call = Call(proxy, caller, callee)
    call.send_invite(["Supported: timer"])
    invite = callee.request("INVITE")
    callee.answer(invite, 180, "Ringing", tag="early")
    caller.response(180)
    for tag, headers in (("b1", ANSWER), ("b2", []), ("b1", ANSWER)):
        callee.answer(invite, 200, "OK", headers, tag=tag)
        caller.response(200)
    counts = proxy.counts()
    expect_equal((counts["active"], counts["timed"], counts["untimed"]), (2, 1, 1), "active, timed, untimed")
    call.tags["callee"] = "b1"
    call.invite_seen, call.success_seen = invite, invite
    call.learn_routes()
    call.hang_up()
    eventually(lambda: active(proxy), lambda n: n == 1, "one fork left after the BYE of the other")


@scenario("early dialogs end with the refusal, with a BYE, and are told apart by tag")
def early(stage):
    """F2, F5, F10, F13, F15: 100 and a 1xx without tag make none; a retried INVITE starts from nothing."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee)
    call.send_invite()
    invite = callee.request("INVITE")
    for tag in ("e1", "e2"):
        callee.answer(invite, 180, "Ringing", tag=tag)
        caller.response(180)
    expect_equal(proxy.counts(), {**NONE, "early": 2}, "two early dialogs")
    call.tags["callee"] = "e1"
    call.invite_seen = call.success_seen = invite
    call.learn_routes()
    call.hang_up()
    eventually(lambda: proxy.counts()["early"], lambda n: n == 1, "one early dialog after BYE in the other")
    callee.answer(invite, 407, "Proxy Authentication Required", tag="e2")
    caller.response(407)
    expect_equal(proxy.counts(), NONE, "after 407")
    call.tags["callee"] = "f1"
    call.cseq["caller"] = 5
    call.set_up()
    expect_equal(active(proxy), 1, "the retried INVITE")


@scenario("what ends a confirmed dialog and what does not")
def ends(stage):
    """F14, F20, F21, F22, F23, F24, F25, F26, A58, A79, F18: one call meets them all, then a BYE ends it."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee).set_up(TIMER, ANSWER)
    for method, status in (("INVITE", 491), ("UPDATE", 500), ("INVITE", 488), ("UPDATE", 404), ("INVITE", 408), ("INFO", 481)):
        call.cseq["caller"] += 7  # the proxy does not police CSeq
        call.refresh(method, headers=TIMER, status=status, reason="No")
        expect_equal(active(proxy), 1, f"dialogs after {status} to {method}")
    answer = call.refused("UPDATE", headers=["Supported: timer", "Session-Expires: 60"])
    expect_equal(answer.status, 422, "a too small interval within the dialog")
    expect_equal(proxy.counts(), {**NONE, "active": 1, "timed": 1}, "counters after 422")
    call.in_dialog("BYE", "caller")
    callee.answer(callee.request("BYE"), 401, "Unauthorized", ['WWW-Authenticate: Digest realm="r", nonce="n"'])
    caller.response(401, "BYE")
    expect_equal(active(proxy), 1, "dialogs after 401 to BYE")
    call.hang_up("callee")
    eventually(lambda: active(proxy), lambda n: n == 0, "dialogs after BYE")
    call.hang_up("caller")  # crossing: forwarded, counted once
    expect_equal(proxy.counts(), NONE, "counters after the second BYE")
    other = Call(proxy, caller, callee).set_up()
    other.refresh("UPDATE", status=481, reason="Call Does Not Exist")
    eventually(lambda: active(proxy), lambda n: n == 0, "dialogs after 481 to UPDATE")


@scenario("a dialog needs no ACK to be counted")
def without_ack(stage):
    """F14, F34: confirmed by the 2xx."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee)
    call.send_invite()
    callee.answer(callee.request("INVITE"), 200, "OK", tag="b")
    caller.response(200)
    expect_equal(active(proxy), 1, "dialogs without ACK")


@scenario("a restarted proxy routes the calls it has forgotten and learns them again")
def restart(stage):
    """A52, B28, F16, F28, F31, F37: ACK, UPDATE and BYE follow the recorded route; a refresh brings the dialog back."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee).set_up(TIMER, ANSWER)
    untouched = Call(proxy, caller, callee).set_up()
    proxy.kill()
    proxy = stage.proxy(port=proxy.port)
    expect_equal(active(proxy), 0, "dialogs of a fresh process")
    call.acknowledge()
    call.refresh("UPDATE", by="callee", headers=TIMER, answer_headers=ANSWER)
    eventually(proxy.counts, lambda c: c == {**NONE, "active": 1, "timed": 1}, "the dialog adopted by its refresh")
    call.hang_up()
    untouched.hang_up("callee")
    eventually(proxy.counts, lambda c: c == NONE, "counters at the end")


@scenario("refreshes in both directions at once keep their own memory")
def crossing(stage):
    """A3, A82, A83, A53: an UPDATE of each side is open; each answer is completed with its own interval."""
    proxy, caller, callee = peers(stage, "--session-expires", "1800")
    call = Call(proxy, caller, callee).set_up(TIMER, ANSWER)
    call.in_dialog("UPDATE", "caller", headers=["Supported: timer", "Session-Expires: 1200"])
    call.in_dialog("UPDATE", "callee", headers=["Supported: timer", "Session-Expires: 700"])
    at_callee, at_caller = callee.request("UPDATE"), caller.request("UPDATE")
    callee.answer(at_callee, 200, "OK")
    caller.answer(at_caller, 200, "OK")
    expect_equal(caller.response(200, "UPDATE").get("Session-Expires"), "1200;refresher=uac", "toward the caller")
    expect_equal(callee.response(200, "UPDATE").get("Session-Expires"), "700;refresher=uac", "toward the callee")
    dialog = proxy.get_json("/dialogs")["dialogs"][0]
    expect_equal(dialog["interval"], 700, "the interval of the 2xx forwarded last")
    expect("calle" in str(dialog["refresher"]), f"the refreshing side (A85): {dialog['refresher']!r}")


@scenario("subscriptions and unknown methods pass but are no calls")
def others(stage):
    """F27, F30, B111, B7: SUBSCRIBE, NOTIFY, PRACK and a new method, within and outside the dialog."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee).set_up()
    for method in ("SUBSCRIBE", "NOTIFY", "PRACK", "REFER", "INFO", "NEWMETHOD"):
        call.refresh(method, status=202, reason="Accepted")
        expect_equal(active(proxy), 1, f"dialogs after {method}")
    call.hang_up()
    eventually(lambda: active(proxy), lambda n: n == 0, "dialogs after BYE")


@scenario("a re-INVITE that changes the contact shows in the table")
def contact(stage):
    """F9, F17, F19: the recorded target follows; the route set does not; the failed attempt's ACK went where it went."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee).set_up(TIMER, ANSWER)
    call.refresh("INVITE", headers=TIMER, answer_headers=ANSWER)
    dialog = proxy.get_json("/dialogs")["dialogs"][0]
    expect(caller.hostport in str(dialog["caller"]), f"caller {dialog['caller']!r}")
    expect(callee.hostport in str(dialog["callee"]), f"callee {dialog['callee']!r}")
    expect_equal(dialog["interval"], 1800, "interval")
    call.hang_up()

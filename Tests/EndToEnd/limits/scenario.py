"""Every table has an end, and a policy for it."""

import socket
import subprocess
import time

from harness.call import Call
from harness.suite import eventually, expect, expect_equal, scenario

TIMER = ["Supported: timer", "Session-Expires: 1800"]
ANSWER = ["Session-Expires: 1800;refresher=uac", "Require: timer"]


@scenario("beyond --max-dialogs new calls get 503 with Retry-After, running ones are untouched")
def dialogs(stage):
    """F36, G10: the count returns and calls are accepted again."""
    proxy = stage.proxy("--max-dialogs", "2")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    calls = [Call(proxy, caller, callee).set_up(TIMER, ANSWER) for _ in range(2)]
    extra = Call(proxy, caller, callee)
    extra.send_invite(TIMER)
    refusal = caller.final("INVITE")
    expect_equal(refusal.status, 503, "the third call")
    expect(refusal.get("Retry-After"), "Retry-After")
    calls[0].refresh("UPDATE", headers=TIMER, answer_headers=ANSWER)
    calls[0].hang_up()
    eventually(proxy.count, lambda n: n == 1, "dialogs after one BYE")
    Call(proxy, caller, callee).set_up(TIMER, ANSWER)
    expect_equal(proxy.count(), 2, "dialogs again")


@scenario("beyond --max-transactions new requests get 503, ACK never")
def transactions(stage):
    """C56, G10."""
    proxy = stage.proxy("--max-transactions", "3")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    for number in range(3):
        caller.send(
            caller.compose("MESSAGE", callee.uri, f"full-{number}@x", "<sip:a@x.test>;tag=a", "<sip:b@x.test>", 1), proxy.address)
        callee.request("MESSAGE")
    Call(proxy, caller, callee).send_invite()
    refusal = caller.final("INVITE")
    expect_equal(refusal.status, 503, "one transaction too many")
    expect(refusal.get("Retry-After"), "Retry-After")
    caller.send(
        caller.compose("ACK", callee.uri, "full-ack@x", "<sip:a@x.test>;tag=a", "<sip:b@x.test>;tag=b", 1), proxy.address)
    callee.request("ACK")


@scenario("a flood of tiny intervals costs one refusal each and no dialog")
def tiny_intervals(stage):
    """A26, A99, G13, G14."""
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    for _ in range(100):
        call = Call(proxy, caller, callee)
        call.send_invite(["Supported: timer", "Session-Expires: 1"])
        refusal = caller.final("INVITE")
        expect_equal((refusal.status, refusal.get("Min-SE")), (422, "90"), "the refusal")
        caller.send(
            caller.compose("ACK", callee.uri, call.call_id, call.party("caller"), refusal.get("To"), 1,
                           branch=refusal.branch()), proxy.address)
    callee.silence(0.2)
    expect_equal(proxy.counts(), {"active": 0, "early": 0, "timed": 0, "untimed": 0}, "counters")


@scenario("a record without timer ends after --untimed-lifetime, one with a huge timer after --max-session")
def lifetimes(stage):
    """A91, A96, G16: the header field is not changed for it, a later refresh brings the dialog back."""
    proxy = stage.proxy("--untimed-lifetime", "3", "--max-session", "5", "--session-expires", "off")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    started = time.monotonic()
    untimed = Call(proxy, caller, callee).set_up()
    huge = ["Supported: timer", "Session-Expires: 4294967295"]
    answer = ["Session-Expires: 4294967295;refresher=uac", "Require: timer"]
    timed = Call(proxy, caller, callee).set_up(huge, answer)
    expect_equal(timed.invite_seen.get("Session-Expires"), "4294967295", "Session-Expires as it came (A9, A16)")
    expect_equal(proxy.count(), 2, "dialogs")
    time.sleep(max(0.0, started + 2.7 - time.monotonic()))
    expect_equal(proxy.count(), 2, "dialogs before 3 s")
    time.sleep(max(0.0, started + 4.3 - time.monotonic()))
    expect_equal(proxy.count(), 1, "dialogs after the untimed lifetime")
    time.sleep(max(0.0, started + 6.3 - time.monotonic()))
    expect_equal(proxy.count(), 0, "dialogs after the cap")
    timed.refresh("UPDATE", headers=huge, answer_headers=answer)
    eventually(proxy.count, lambda n: n == 1, "the dialog its refresh brought back")
    untimed.hang_up()
    timed.hang_up()


@scenario("with few descriptors connections are cut, told, and calls over UDP go on when all are taken")
def descriptors(stage):
    """G10, D47: more peers knock than there is room for; a wildcard listener finds its addresses all the same."""
    result = subprocess.run(
        ["sh", "-c", 'ulimit -n 256 && exec "$0" "$@"', stage.binary, "check", "--listen", f"udp:127.0.0.1:{stage.port()}",
         "--control", str(stage.scratch / "check.sock")], capture_output=True, text=True, timeout=15)
    expect_equal(result.returncode, 0, f"check: {result.stderr}")
    expect("# warning: --max-connections 10000: the system allows 256 open files" in result.stdout, result.stdout)
    proxy = stage.proxy(host="0.0.0.0", transports=("udp", "tcp"), files=256)
    proxy.host = "127.0.0.1"
    expect("256 open files" in proxy.log.read_text(), f"the warning in {proxy.tail()}")
    knocking = []
    try:
        # One source gets a quarter, so that it takes several; those that are refused are closed at once.
        for number in range(400):
            knocking.append(socket.create_connection(proxy.address, 5, (f"127.0.0.{2 + number % 20}", 0)))
        eventually(lambda: proxy.get_json("/stats")["counters"]["connections_refused_by_limit"], lambda n: n > 0, "refusals")
        caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
        call = Call(proxy, caller, callee).set_up(TIMER, ANSWER)
        expect_equal(proxy.count(), 1, "dialogs with all connections taken")
        call.hang_up()
        eventually(proxy.count, lambda n: n == 0, "dialogs after the BYE")
        expect_equal(proxy.get_json("/stats")["counters"]["connection_accept_errors"], 0, "descriptors never ran out")
    finally:
        for one in knocking:
            one.close()

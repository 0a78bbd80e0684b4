"""Two phones of Linphone with session timers, and what a relay in front of the proxy saw of them."""

import time

from harness.suite import eventually, expect, expect_equal, scenario
from harness.wire import Message

INTERVAL = 90


def pair(stage, refresher):
    """(proxy, relay, caller, callee): every request of the phones goes through the relay, which records it."""
    port = stage.port()
    relay = stage.relay(("127.0.0.1", port))
    host, seen = relay.address
    proxy = stage.proxy("--advertise", f"{host}:{seen}", "--session-expires", str(INTERVAL), port=port)
    caller = stage.linphone("caller", relay.address, interval=INTERVAL, refresher=refresher)
    callee = stage.linphone("callee", relay.address, interval=INTERVAL, answers=True)
    return proxy, relay, caller, callee


def captured(relay, direction, start):
    return [Message(data) for way, _, data in list(relay.recorded) if way == direction and data.startswith(start)]


def call(proxy, caller, callee):
    caller.say(f"call {callee.uri}")
    counts = {"active": 1, "early": 0, "timed": 1, "untimed": 0}
    eventually(proxy.counts, lambda c: c == counts, "counters once the callee picked up", within=15)
    return time.monotonic()


def refreshed_call(stage, refresher, side):
    """One call that the phone in From or To refreshes after half the interval, and that outlives the interval by it."""
    proxy, relay, caller, callee = pair(stage, refresher)
    started = call(proxy, caller, callee)
    answer = eventually(lambda: captured(relay, "from proxy", b"SIP/2.0 200"), bool, "the answer in the capture")[0]
    expect_equal(answer.get("Session-Expires"), f"{INTERVAL};refresher={refresher}", "agreed by the phones")
    refreshes = eventually(
        lambda: captured(relay, "to proxy", b"UPDATE ") + captured(relay, "to proxy", b"INVITE ")[1:],
        bool, "a refresh in the capture", within=INTERVAL * 0.75)
    expect_equal(refreshes[0].tag("From"), answer.tag(side), "whose refresh it is")
    expect(refreshes[0].get("Session-Expires").startswith(str(INTERVAL)), "the refresh asks for the interval again")
    at = time.monotonic() - started
    expect(INTERVAL / 4 < at < INTERVAL * 0.75, f"refreshed after {at:.0f} s")
    time.sleep(max(0, started + INTERVAL + 3 - time.monotonic()))
    expect_equal(proxy.counts(), {"active": 1, "early": 0, "timed": 1, "untimed": 0}, "counters past the first end")
    caller.say("terminate")
    eventually(proxy.count, lambda n: n == 0, "dialogs after the caller hung up", within=10)


@scenario("two Linphones agree on a session timer and the callee's refreshes it", slow=True)
def by_callee(stage):
    """A28, A61, A86, F30: 90 s with refresher=uas; a refresh at half of it moves the end."""
    refreshed_call(stage, "uas", "To")


@scenario("two Linphones agree on a session timer and the caller's refreshes it", slow=True)
def by_caller(stage):
    """A28, A61, A86, F30: the same with refresher=uac."""
    refreshed_call(stage, "uac", "From")


@scenario("a call between Linphones is hung up by the callee, and one is given up while it rings")
def short(stage):
    """F15, F22, B95: real phones' BYE and CANCEL."""
    proxy, relay, caller, callee = pair(stage, None)
    call(proxy, caller, callee)
    callee.say("terminate")
    eventually(proxy.count, lambda n: n == 0, "dialogs after the callee hung up", within=10)
    expect(captured(relay, "to proxy", b"BYE "), "no BYE in the capture")
    callee.say("autoanswer disable")
    caller.say(f"call {callee.uri}")
    eventually(proxy.counts, lambda c: c["early"] == 1, "early dialogs while it rings", within=10)
    caller.say("terminate")
    eventually(proxy.counts, lambda c: c["early"] == c["active"] == 0, "dialogs after the CANCEL", within=10)
    expect(captured(relay, "to proxy", b"CANCEL "), "no CANCEL in the capture")

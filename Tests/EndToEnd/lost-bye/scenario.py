"""RFC 4028 §8.3: the phones died, the BYE never came, and the proxy forgets the call by itself."""

import time

from harness.call import Call
from harness.suite import eventually, expect_equal, scenario


def sleep_until(instant):
    time.sleep(max(0.0, instant - time.monotonic()))


@scenario("a dialog whose refresh never comes is reclaimed at 90 s, not before, and without a BYE", slow=True)
def reclaimed(stage):
    """A86, A87, A88, A89, A96, F32: between 90 and 91 s after the 2xx; neither phone hears anything."""
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    timer = ["Supported: timer", "Session-Expires: 90"]
    before = time.monotonic()
    Call(proxy, caller, callee).set_up(timer, ["Session-Expires: 90;refresher=uac", "Require: timer"])
    after = time.monotonic()
    expect_equal(proxy.count(), 1, "dialogs after the 2xx")
    sleep_until(before + 89.5)
    expect_equal(proxy.count(), 1, "dialogs half a second before the session expires")
    sleep_until(after + 91.1)
    expect_equal(proxy.count(), 0, "dialogs 1.1 s after the session expired")
    caller.silence(1)
    callee.silence(0.1)
    expect_equal(proxy.counts(), {"active": 0, "early": 0, "timed": 0, "untimed": 0}, "counters")


@scenario("a refresh moves the end, a failed one does not", slow=True)
def moved(stage):
    """A77, A78, A79, A91: refreshed at 5 s, lives to 95; a refused refresh leaves 90; one without timer stays."""
    proxy = stage.proxy("--session-expires", "off")
    timer = ["Supported: timer", "Session-Expires: 90"]
    answer = ["Session-Expires: 90;refresher=uac", "Require: timer"]
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    started = time.monotonic()
    refreshed, refused, switched_off = (Call(proxy, caller, callee).set_up(timer, answer) for _ in range(3))
    expect_equal(proxy.counts(), {"active": 3, "early": 0, "timed": 3, "untimed": 0}, "counters after three calls")
    sleep_until(started + 5)
    refreshed.refresh("UPDATE", headers=timer, answer_headers=answer)
    moved_at = time.monotonic()
    refused.refresh("INVITE", headers=timer, status=488, reason="Not Acceptable Here")
    switched_off.refresh("UPDATE", headers=["Supported: timer"])
    expect_equal(proxy.counts(), {"active": 3, "early": 0, "timed": 2, "untimed": 1}, "counters after the refreshes")
    sleep_until(started + 89.5)
    expect_equal(proxy.count(), 3, "dialogs before any expiration")
    sleep_until(started + 91.5)
    expect_equal(proxy.count(), 2, "dialogs after that of the refused refresh expired")
    sleep_until(moved_at + 91.1)
    expect_equal(proxy.counts(), {"active": 1, "early": 0, "timed": 0, "untimed": 1}, "counters at the end")


@scenario("a refresh after the end is forwarded and brings the dialog back", slow=True)
def late(stage):
    """A52, A92, F28, F33: the call was never cut, only forgotten; its late refresh is forwarded and adopted."""
    proxy = stage.proxy()
    timer = ["Supported: timer", "Session-Expires: 90"]
    answer = ["Session-Expires: 90;refresher=uac", "Require: timer"]
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    call = Call(proxy, caller, callee).set_up(timer, answer)
    time.sleep(91.2)
    expect_equal(proxy.count(), 0, "dialogs after the expiration")
    call.refresh("UPDATE", headers=timer, answer_headers=answer)
    eventually(proxy.count, lambda n: n == 1, "the dialog adopted by its late refresh")
    call.hang_up("callee")
    eventually(proxy.count, lambda n: n == 0, "dialogs after BYE")

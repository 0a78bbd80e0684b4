"""The plainest call there is, many at a time."""

from harness.sipp import run_pair
from harness.suite import eventually, expect, expect_equal, scenario


@scenario("calls are set up, counted while they last and hung up (A5, B49, F4, F22)")
def calls(stage):
    """A5, B45, B49, B62, B72, F2, F4, F22, F35: on the wire between two real user agents."""
    proxy = stage.proxy()
    caller = stage.sipp("caller", "uac.xml", calls=50, rate=50)
    callee = stage.sipp("callee", "uas.xml", calls=50)
    callee.start()
    caller.start(proxy.address, callee.address)
    eventually(proxy.count, lambda n: n >= 30, "dialogs counted while calls last", within=5)
    caller.wait()
    callee.wait()
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")
    for invite in callee.received("INVITE"):
        expect_equal(invite.get("Max-Forwards"), "69", "Max-Forwards at the callee")
        expect_equal(len(invite.all("Via")), 2, "Via rows at the callee")
        expect(f"{proxy.hostport};" in invite.get("Record-Route"), "Record-Route names the proxy")
        expect(";lr" in invite.get("Record-Route"), "Record-Route is loose")
        expect(invite.branch().startswith("z9hG4bK"), "the proxy's branch has the magic cookie")
    expect_equal(caller.received(r"SIP/2\.0 [3-6]"), [], "failures at the caller")
    expect_equal(len(callee.received("BYE")), 50, "BYE at the callee: the callers', none of the proxy's own")
    expect_equal(caller.received("BYE"), [], "BYE at the caller")


@scenario("a call without trace at a higher rate loses nothing")
def rate(stage):
    proxy = stage.proxy()
    caller = stage.sipp("caller", "uac.xml", calls=600, rate=200, trace=False)
    callee = stage.sipp("callee", "uas.xml", calls=600, trace=False)
    run_pair(proxy, caller, callee)
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")

"""RFC 4028 §8.1 and §8.2: one side knows session timers, the other does not, and the proxy makes a timer of it."""

from harness.sipp import run_pair
from harness.suite import eventually, expect_equal, scenario


@scenario("a caller without timers and a callee with them complete a refreshed call")
def caller_without(stage):
    """A30, A45, A46, A61, A64: the proxy inserts the interval, the callee refreshes, no BYE of the proxy."""
    proxy = stage.proxy()
    caller = stage.sipp("caller", "uac-without.xml", calls=5)
    callee = stage.sipp("callee", "uas-with.xml", calls=5)
    run_pair(proxy, caller, callee)
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")
    for invite in callee.received("INVITE"):
        expect_equal(invite.all("Supported"), [], "Supported is not invented")
        expect_equal(invite.all("Require"), [], "Require is not invented")
        expect_equal(invite.all("Session-Expires"), ["1800"], "the inserted interval")
    for answer in caller.received("SIP/2.0 200"):
        if answer.method == "INVITE":
            expect_equal(answer.all("Require"), [], "Require toward a caller without support")
    expect_equal(caller.received("BYE"), [], "BYE at the caller")


@scenario("a caller with timers and a callee without them complete a refreshed call")
def callee_without(stage):
    """A22, A64, A69, A70, A78: the 2xx is completed with `refresher=uac` and `Require: timer`, each time."""
    proxy = stage.proxy("--session-expires", "1800")
    caller = stage.sipp("caller", "uac-with.xml", calls=5)
    callee = stage.sipp("callee", "uas-without.xml", calls=5)
    run_pair(proxy, caller, callee)
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")
    for answer in caller.received("SIP/2.0 200"):
        if answer.method == "INVITE":
            expect_equal(answer.all("Session-Expires"), ["1800;refresher=uac"], "Session-Expires of the 2xx")
            expect_equal(answer.all("Require"), ["timer"], "Require of the 2xx")
    expect_equal(caller.received("BYE"), [], "BYE at the caller")

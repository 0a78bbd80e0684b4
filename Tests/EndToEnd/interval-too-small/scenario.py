"""RFC 4028 §8.1: a caller with timer support that asks for too little is told the minimum by 422."""

from harness.call import Call
from harness.sipp import run_pair
from harness.suite import eventually, expect_equal, scenario


@scenario("422 with Min-SE, then the larger interval is accepted")
def too_small(stage):
    """A26, A55, A56, A57, A59, G13: the first attempt never reaches the callee, the second is one dialog."""
    proxy = stage.proxy("--min-se", "600")
    caller = stage.sipp("caller", "uac.xml", calls=5)
    callee = stage.sipp("callee", "uas.xml", calls=5)
    run_pair(proxy, caller, callee)
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")
    refusals = caller.received(r"SIP/2\.0 422 ")
    expect_equal({m.start_line for m in refusals}, {"SIP/2.0 422 Session Interval Too Small"}, "422")
    for refusal in refusals:
        expect_equal(refusal.all("Min-SE"), ["600"], "Min-SE of the 422")
        expect_equal(refusal.all("Session-Expires"), [], "Session-Expires of the 422")
    expect_equal({m.get("CSeq") for m in callee.received("INVITE")}, {"2 INVITE"}, "INVITE at the callee")


@scenario("a caller without timer support is raised instead, never refused")
def without_support(stage):
    """A14, A33, A34, A35, A98: Min-SE and Session-Expires are raised; never 422 without `Supported: timer`."""
    proxy = stage.proxy("--min-se", "600")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    for sent, expires, minimum in (
        (["Session-Expires: 90"], "600", "600"),
        (["Session-Expires: 90;vendor=1", "Min-SE: 120"], "600;vendor=1", "600"),
        (["x: 650", "Min-SE: 700"], "700", "700"),
    ):
        call = Call(proxy, caller, callee).set_up(sent)
        expect_equal(call.invite_seen.get("Session-Expires"), expires, f"Session-Expires after {sent}")
        expect_equal(call.invite_seen.get("Min-SE"), minimum, f"Min-SE after {sent}")
        expect_equal(call.success_seen.all("Session-Expires"), [], "a 2xx toward a caller without support")
        call.hang_up()

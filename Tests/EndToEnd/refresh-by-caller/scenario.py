"""RFC 4028: the caller refreshes, by re-INVITE and by UPDATE."""

from harness.sipp import run_pair
from harness.suite import eventually, expect_equal, scenario


def refreshed(stage, method, name):
    proxy = stage.proxy()
    caller = stage.sipp("caller", f"uac-{name}.xml", calls=10)
    callee = stage.sipp("callee", f"uas-{name}.xml", calls=10)
    run_pair(proxy, caller, callee)
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")
    expect_equal(len(callee.received("BYE")), 10, "BYE at the callee")
    expect_equal(caller.received("BYE"), [], "BYE at the caller")
    wanted = 20 if method == "INVITE" else 10
    expect_equal(len({(m.get("Call-ID"), m.get("CSeq")) for m in callee.received(method)}), wanted, method)


@scenario("a re-INVITE of the caller refreshes the session")
def reinvite(stage):
    """A1, A28, A40, A61, B31, B49, F16: the refresh passes with its fields as the caller wrote them."""
    refreshed(stage, "INVITE", "reinvite")


@scenario("an UPDATE of the caller refreshes the session")
def update(stage):
    """A1, A28, A40, A49, A61, F30: the same by UPDATE without a body."""
    refreshed(stage, "UPDATE", "update")

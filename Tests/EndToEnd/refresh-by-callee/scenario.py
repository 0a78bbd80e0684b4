"""RFC 4028: the callee took the role of refresher and refreshes against the direction of the call."""

from harness.sipp import run_pair
from harness.suite import eventually, expect_equal, scenario


def refreshed(stage, name):
    proxy = stage.proxy()
    caller = stage.sipp("caller", f"uac-{name}.xml", calls=10)
    callee = stage.sipp("callee", f"uas-{name}.xml", calls=10)
    run_pair(proxy, caller, callee)
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE")
    expect_equal(len(callee.received("BYE")), 10, "BYE at the callee")
    expect_equal(caller.received("BYE"), [], "BYE at the caller")


@scenario("a re-INVITE of the callee refreshes the session")
def reinvite(stage):
    """A1, A28, A61, A83, F1: tags swapped, the same dialog, and no second one counted."""
    refreshed(stage, "reinvite")


@scenario("an UPDATE of the callee refreshes the session")
def update(stage):
    """A1, A28, A49, A61, A83, F1."""
    refreshed(stage, "update")

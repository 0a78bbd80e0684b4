"""RFC 3261 §17.1.1.3 and §17.2.1: a refused call is acknowledged hop by hop."""

from harness.sipp import run_pair
from harness.suite import eventually, expect_equal, scenario


@scenario("486 reaches the caller, each hop acknowledges for itself")
def busy(stage):
    """A67, B105, C18, C22, C23, C34, F10: the caller's ACK stops at the proxy, the callee gets the proxy's own."""
    proxy = stage.proxy()
    caller = stage.sipp("caller", "uac.xml", calls=10)
    callee = stage.sipp("callee", "uas.xml", calls=10)
    run_pair(proxy, caller, callee)
    eventually(lambda: proxy.counts(), lambda c: c["active"] == 0 and c["early"] == 0, "dialogs after 486")
    invites = {m.get("Call-ID"): m for m in callee.received("INVITE")}
    acknowledgements = callee.received("ACK")
    expect_equal(len({m.get("Call-ID") for m in acknowledgements}), 10, "ACK at the callee")
    for ack in acknowledgements:
        expect_equal(ack.all("Via"), invites[ack.get("Call-ID")].all("Via")[:1], "the ACK's only Via is the proxy's")
        expect_equal(len(ack.all("Max-Forwards")), 1, "Max-Forwards of the proxy's ACK")

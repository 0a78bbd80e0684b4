"""RFC 3261 §9 and §16.10: the caller gives up while the phone rings."""

from harness.call import Call
from harness.sipp import run_pair
from harness.suite import eventually, expect, expect_equal, scenario


@scenario("CANCEL is answered 200, passed on, and the 487 comes back")
def cancel(stage):
    """B95, B96, B97, B98, B101, B105, C22, F10, F12: no dialog is left."""
    proxy = stage.proxy()
    caller = stage.sipp("caller", "uac.xml", calls=10)
    callee = stage.sipp("callee", "uas.xml", calls=10)
    run_pair(proxy, caller, callee)
    eventually(lambda: proxy.counts(), lambda c: c["active"] == 0 and c["early"] == 0, "dialogs after 487")
    invites = {m.get("Call-ID"): m for m in callee.received("INVITE")}
    for message in callee.received("CANCEL|ACK"):
        invite = invites[message.get("Call-ID")]
        expect_equal(message.all("Via"), invite.all("Via")[:1], f"{message.method}: the only Via")
        expect_equal(message.uri, invite.uri, f"{message.method}: Request-URI")
        expect_equal(message.get("From"), invite.get("From"), f"{message.method}: From")
        expect_equal(message.get("CSeq").split()[0], "1", f"{message.method}: CSeq number")
        expect(not message.all("Session-Expires"), f"{message.method} carries no Session-Expires")


@scenario("a CANCEL before any provisional waits for one")
def early_cancel(stage):
    """B95, B96, B102: 200 to the caller at once, nothing to the callee until it has answered provisionally."""
    proxy = stage.proxy()
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    call = Call(proxy, caller, callee)
    invite = call.send_invite(branch="z9hG4bK-early-cancel")
    seen = callee.request("INVITE")
    cancel = caller.compose(
        "CANCEL", callee.uri, call.call_id, call.party("caller"), call.party("callee", False), 1,
        branch="z9hG4bK-early-cancel")
    expect(b"z9hG4bK-early-cancel" in invite, "the INVITE's branch")
    caller.send(cancel, proxy.address)
    caller.response(200, "CANCEL")
    callee.silence(0.3, besides=lambda m: m.method == "INVITE")
    callee.answer(seen, 180, "Ringing", tag="b")
    callee.answer(callee.request("CANCEL"), 200, "OK")
    callee.answer(seen, 487, "Request Terminated", tag="b")
    caller.response(487, "INVITE")
    callee.request("ACK")

"""Who may send a request within a dialog: our token, a live dialog, or an allowed source; three loopback addresses."""

from harness.call import Call
from harness.suite import expect, expect_equal, scenario


def world(stage):
    """A proxy that serves 127.0.0.2 only; the callee lives on 127.0.0.1, the stranger on 127.0.0.3."""
    proxy = stage.proxy("--allow", "127.0.0.2/32")
    return (proxy, stage.user_agent("caller", "127.0.0.2"), stage.user_agent("callee"),
            stage.user_agent("stranger", "127.0.0.3"))


@scenario("a callee outside --allow refreshes and hangs up with our token")
def token(stage):
    """B57, F16, G1, G2: the call of an allowed caller belongs to its callee, too."""
    proxy, caller, callee, _ = world(stage)
    call = Call(proxy, caller, callee).set_up(["Supported: timer"])
    call.refresh("UPDATE", by="callee", headers=["Supported: timer", "Session-Expires: 1800"])
    call.hang_up("callee")


@scenario("a token read in one call opens no other, and a forged one opens nothing")
def forged(stage):
    """B57, F29, G2: 403 once; the target hears nothing; ACK is dropped."""
    proxy, caller, callee, stranger = world(stage)
    call = Call(proxy, caller, callee).set_up()
    ours = call.routes["caller"][0]
    flipped = ours.replace(";ck=", ";ck=A" if ";ck=B" in ours else ";ck=B")
    for number, route in enumerate((ours, flipped, f"<sip:{proxy.hostport};lr>")):
        for method in ("UPDATE", "ACK"):
            message = stranger.compose(
                method, callee.uri, f"other-{number}@x", "<sip:s@x.test>;tag=s", "<sip:c@x.test>;tag=c", 1, routes=[route])
            stranger.send(message, proxy.address)
        answer = stranger.final("UPDATE")
        expect_equal(answer.status, 403, f"a request with {route}")
    stranger.silence(1.0)
    callee.silence(0.1)
    expect_equal(proxy.count(), 1, "dialogs")


@scenario("our refusals of one request carry one To tag")
def tag(stage):
    """B4, G6: the same for a repeated stateless refusal, another for another request."""
    proxy, _, callee, stranger = world(stage)
    tags = []
    for call_id in ("same@x", "same@x", "other@x"):
        message = stranger.compose(
            "OPTIONS", callee.uri, call_id, "<sip:s@x.test>;tag=s", "<sip:c@x.test>", 1, branch=f"z9hG4bK-{call_id[:4]}")
        stranger.send(message, proxy.address)
        tags.append(stranger.response(403).tag("To"))
    expect(tags[0] == tags[1] and tags[0], f"tags of a repeated refusal: {tags}")
    expect(tags[2] != tags[0], f"tags of different requests: {tags}")

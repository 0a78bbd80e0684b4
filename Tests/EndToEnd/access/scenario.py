"""Who may send calls through the proxy."""

from harness.call import Call
from harness.suite import expect, expect_equal, scenario


@scenario("a source outside --allow gets 403, once, and nothing is forwarded")
def refused(stage):
    """G1, G5, G6, G8: no transaction is kept, so nothing is retransmitted; the callee hears nothing."""
    proxy = stage.proxy("--allow", "192.0.2.0/24")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
    call = Call(proxy, caller, callee)
    sent = call.send_invite(["Supported: timer"])
    answer = caller.final("INVITE")
    expect_equal(answer.status, 403, "the answer to INVITE")
    expect(len(answer.raw) <= 2 * len(sent), "the answer is not much larger than the request")
    caller.silence(1.3, besides=lambda m: False)
    callee.silence(0.1)
    caller.send(sent, proxy.address)
    again = caller.final("INVITE")
    expect_equal(again.tag("To"), answer.tag("To"), "the To tag of a repeated refusal")
    expect_equal(proxy.counts(), {"active": 0, "early": 0, "timed": 0, "untimed": 0}, "counters")


@scenario("ACK and CANCEL from outside are dropped without an answer")
def dropped(stage):
    """G2, B99, B106, B108: no reflection by methods that have no response."""
    proxy = stage.proxy("--allow", "192.0.2.0/24")
    stranger, callee = stage.user_agent("stranger"), stage.user_agent("callee")
    for method in ("ACK", "CANCEL"):
        message = stranger.compose(
            method, callee.uri, "stray@example.org", "<sip:s@example.org>;tag=s", "<sip:c@example.org>;tag=c", 1)
        stranger.send(message, proxy.address)
    stranger.silence(0.5)
    callee.silence(0.1)


@scenario("an allowed source is served when the list is given")
def allowed(stage):
    """G1: --allow replaces the default list."""
    proxy = stage.proxy("--allow", "127.0.0.0/8")
    Call(proxy, stage.user_agent("caller"), stage.user_agent("callee")).set_up().hang_up()

"""Start, refusal to start, and an orderly end."""

import signal
import time

from harness.call import Call
from harness.suite import expect, expect_equal, scenario


@scenario("a second proxy on the same address is refused with 73")
def taken(stage):
    proxy = stage.proxy()
    second = stage.proxy(port=proxy.port, expect_ready=False)
    expect_equal(second.wait(5), 73, "exit code of the second proxy")
    expect(str(proxy.port) in second.tail(), f"the address is named in {second.tail()!r}")
    expect_equal(proxy.count(), 0, "the first one still answers")


@scenario("a control socket that answers is not taken over, a dead one is")
def control(stage):
    proxy = stage.proxy()
    second = stage.proxy(control=proxy.control, expect_ready=False)
    expect_equal(second.wait(5), 73, "exit code beside a living control socket")
    expect_equal(proxy.count(), 0, "the first one still answers")
    proxy.kill()
    expect_equal(proxy.command("count").returncode, 69, "count when nobody answers")
    third = stage.proxy(control=proxy.control)
    expect_equal(third.count(), 0, "the dead socket was replaced")


@scenario("SIGTERM ends an idle proxy with 0 at once")
def idle(stage):
    proxy = stage.proxy()
    Call(proxy, stage.user_agent("caller"), stage.user_agent("callee")).set_up()
    started = time.monotonic()
    proxy.terminate()
    expect_equal(proxy.wait(5), 0, "exit code")
    expect(time.monotonic() - started < 2, "transactions that only wait for timers hold nothing up")


@scenario("SIGTERM refuses new calls, lets the open one be answered, then ends with 0")
def draining(stage):
    """B14 as decided: OPTIONS gets 503 while draining; new out-of-dialog requests get 503; answers still pass."""
    proxy = stage.proxy()
    caller, callee, late = (stage.user_agent(name) for name in ("caller", "callee", "late"))
    call = Call(proxy, caller, callee)
    call.send_invite()
    invite = callee.request("INVITE")
    callee.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    proxy.terminate()
    time.sleep(0.3)
    expect(proxy.is_running, "an INVITE without a final response holds the end up")
    Call(proxy, late, callee).send_invite()
    expect_equal(late.final("INVITE").status, 503, "a new call while draining")
    late.send(late.compose("OPTIONS", f"sip:{proxy.hostport}", "drain@x", "<sip:l@x>;tag=l", "<sip:p@x>", 1), proxy.address)
    expect_equal(late.final("OPTIONS").status, 503, "OPTIONS while draining")
    callee.answer(invite, 200, "OK", tag="b")
    caller.response(200, "INVITE")
    expect_equal(proxy.wait(2), 0, "exit code after the last final response")


@scenario("an unanswered call holds the end up for 4 s at most, a second SIGTERM not at all")
def impatient(stage):
    for signals, longest in ((1, 4.8), (2, 1.0)):
        proxy = stage.proxy()
        caller, callee = stage.user_agent("caller"), stage.user_agent("callee")
        Call(proxy, caller, callee).send_invite()
        callee.answer(callee.request("INVITE"), 180, "Ringing", tag="b")
        caller.response(180)
        started = time.monotonic()
        proxy.terminate()
        if signals == 2:
            time.sleep(0.3)
            proxy.process.send_signal(signal.SIGTERM)
        code = proxy.wait(7)
        expect_equal(code, 0, f"exit code after {signals} SIGTERM")
        took = time.monotonic() - started
        expect(took < longest, f"{signals} SIGTERM took {took:.1f} s")


@scenario("SIGUSR2 logs a summary and changes nothing")
def summary(stage):
    proxy = stage.proxy()
    before = len(proxy.tail(1000))
    proxy.process.send_signal(signal.SIGUSR2)
    time.sleep(0.5)
    expect(len(proxy.tail(1000)) > before, "a line in the log")
    expect_equal(proxy.count(), 0, "the proxy still answers")

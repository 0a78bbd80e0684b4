"""RFC 3261 §18.4: ICMP errors reach the transaction whose datagram they are about."""

import time

from harness.call import Call
from harness.suite import eventually, expect, scenario


@scenario("an INVITE to a port where nobody is gets its answer at once")
def closed(stage):
    """D24, C25, B93: 500 after milliseconds instead of 408 after 32 seconds, over IPv4 and IPv6."""
    for host in ("127.0.0.1", "::1"):
        proxy = stage.proxy(host=host)
        caller, callee = stage.user_agent("caller", host), stage.user_agent("callee", host)
        call = Call(proxy, caller, callee)
        callee.close()
        started = time.monotonic()
        call.send_invite()
        final = caller.final("INVITE")
        expect(final.status == 500, f"the answer: {final}")
        expect(time.monotonic() - started < 2, f"after {time.monotonic() - started:.1f} s")
        eventually(lambda: proxy.get_json("/stats")["counters"]["branches_unreachable"], lambda n: n == 1, "branches")


@scenario("a call to somebody else is not disturbed by errors about another")
def undisturbed(stage):
    """D24: the kernel tells an error to the next send, whatever its destination."""
    proxy, caller, callee, gone = stage.proxy(), *(stage.user_agent(name) for name in ("caller", "callee", "gone"))
    gone.close()
    for _ in range(20):
        Call(proxy, caller, gone).send_invite()
    call = Call(proxy, caller, callee).set_up()
    call.hang_up()
    stats = proxy.get_json("/stats")["counters"]
    expect(stats["send_errors"] == 0 and stats["receive_errors"] == 0, f"errors: {stats}")
    expect(stats["icmp_failures_received"] >= 20, f"{stats['icmp_failures_received']} ICMP errors")

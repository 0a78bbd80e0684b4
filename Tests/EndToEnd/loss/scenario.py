"""Retransmission: a path that loses datagrams must not lose calls."""

from harness.suite import eventually, expect, expect_equal, scenario


@scenario("calls complete although both legs lose datagrams")
def loss(stage):
    """C1, C5, C27, C29, C40, A75, F23: retransmissions are absorbed or repeated, every call is counted once."""
    proxy = stage.proxy()
    caller = stage.sipp("caller", "uac.xml", calls=60, rate=30, timeout=60)
    callee = stage.sipp("callee", "uas.xml", calls=60, timeout=80)
    before = stage.relay(proxy.address, loss=0.1, seed=20)
    behind = stage.relay(callee.address, loss=0.1, seed=21)
    callee.start()
    caller.start(before.address, behind.address)
    caller.wait()
    callee.wait()
    expect(before.lost > 20 and behind.lost > 20, f"the relays lost only {before.lost} and {behind.lost} datagrams")
    eventually(proxy.count, lambda n: n == 0, "dialogs after every BYE", within=5)
    expect_equal(proxy.counts()["active"], 0, "active dialogs")
    byes = {data for direction, _, data in before.recorded if direction == "from proxy" and data.startswith(b"BYE ")}
    expect_equal(byes, set(), "BYE toward the caller")

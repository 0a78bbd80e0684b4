"""Calls over IPv6, and between IPv4 and IPv6."""

import socket

from harness.call import Call
from harness.suite import eventually, expect, expect_equal, scenario


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@scenario("a call over IPv6 with brackets where they belong")
def call(stage):
    """B56, D8, D14, D20: Record-Route and Via in brackets, received without, and a refresh along the route."""
    if not has_ipv6():
        return
    proxy = stage.proxy(host="::1")
    caller, callee = stage.user_agent("caller", "::1"), stage.user_agent("callee", "::1")
    one = Call(proxy, caller, callee).set_up(["Supported: timer"])
    expect(f"[::1]:{proxy.port}" in one.invite_seen.get("Record-Route"), "Record-Route in brackets")
    expect(f"[::1]:{proxy.port}" in one.invite_seen.all("Via")[0], "Via in brackets")
    expect(";received=::1" in one.success_seen.get("Via"), f"received in {one.success_seen.get('Via')}")
    one.refresh("UPDATE", headers=["Supported: timer", "Session-Expires: 1800"])
    one.hang_up("callee")
    eventually(proxy.count, lambda n: n == 0, "dialogs after BYE")


@scenario("a call from IPv4 to IPv6 through two listeners carries one Record-Route for each")
def mixed(stage):
    """B54, D64: the callee's route set starts with the IPv6 address, the caller's with the IPv4 one."""
    if not has_ipv6():
        return
    port = stage.port("::1")
    proxy = stage.proxy("--listen", f"udp:[::1]:{port}")
    caller, callee = stage.user_agent("caller"), stage.user_agent("callee", "::1")
    one = Call(proxy, caller, callee).set_up()
    rows = one.invite_seen.listed("Record-Route")
    expect_equal(len(rows), 2, f"Record-Route values {rows}")
    expect(f"[::1]:{port}" in rows[0] and proxy.hostport in rows[1], f"outgoing side on top: {rows}")
    one.refresh("UPDATE", by="callee")
    one.refresh("INVITE")
    one.hang_up()
    eventually(proxy.count, lambda n: n == 0, "dialogs after BYE")

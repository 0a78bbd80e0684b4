"""RFC 3261 §16.4 to §16.6: who gets the request, and with which Route and Request-URI."""

from harness.call import Call
from harness.suite import expect, expect_equal, scenario

FROM, TO = "<sip:a@example.invalid>;tag=a", "<sip:b@example.invalid>"


def peers(stage, *flags):
    return stage.proxy(*flags), stage.user_agent("caller"), stage.user_agent("callee")


@scenario("a preloaded Route is honoured, one level of it")
def preloaded(stage):
    """B31, B34, B35, B36, B38: our value goes, the rest keeps its bytes and order, the Request-URI is not looked at."""
    proxy, caller, callee = peers(stage)
    routes = [f"<sip:{proxy.hostport};lr>", f"<sip:{callee.hostport};lr>;x=1,  \"Next, one\" <sip:next.invalid;lr>"]
    caller.send(caller.compose("INVITE", "sip:nobody@nowhere.invalid", "route-1@x", FROM, TO, 1, routes=routes), proxy.address)
    seen = callee.request("INVITE")
    expect_equal(seen.uri, "sip:nobody@nowhere.invalid", "Request-URI")
    expect_equal(seen.all("Route"), [routes[1]], "the Route rows behind ours")


@scenario("our value in the middle of a row is taken out and the others keep their bytes")
def one_row(stage):
    """B31, B36, E11, E12, E16: one row with three values, folded."""
    proxy, caller, callee = peers(stage)
    row = f"<sip:{proxy.hostport};lr>,\r\n <sip:{callee.hostport};lr>;a=\"x,y\" , <sip:z.invalid;lr>"
    caller.send(caller.compose("INVITE", "sip:n@n.invalid", "route-2@x", FROM, TO, 1, routes=[row]), proxy.address)
    seen = callee.request("INVITE")
    joined = ",".join(seen.all("Route"))
    expect_equal(
        [part.strip() for part in joined.split(" , ")], [f"<sip:{callee.hostport};lr>;a=\"x,y\"", "<sip:z.invalid;lr>"],
        "the values left")


@scenario("a request from a strict router is put right, without any state")
def from_strict_router(stage):
    """B27, B28, B33: the Request-URI is our Record-Route value, the target the last Route; also after a restart."""
    proxy, caller, callee = peers(stage)
    call = Call(proxy, caller, callee).set_up()
    port = proxy.port
    for attempt in ("running", "restarted"):
        ours = call.routes["caller"][0].strip("<>")
        message = caller.compose(
            "INFO", ours, call.call_id, call.party("caller"), call.party("callee"), 7 + len(attempt),
            routes=[f"<{callee.uri}>"])
        caller.send(message, proxy.address)
        seen = callee.request("INFO")
        expect_equal(seen.uri, callee.uri, f"Request-URI ({attempt})")
        expect_equal(seen.all("Route"), [], f"Route ({attempt})")
        callee.answer(seen, 200, "OK")
        caller.response(200, "INFO")
        if attempt == "running":
            proxy.kill()
            proxy = stage.proxy(port=port)


@scenario("a strict router behind us gets what it expects")
def to_strict_router(stage):
    """B58, B60: the first Route without `lr` becomes the Request-URI, the Request-URI the last Route."""
    proxy, caller, callee = peers(stage)
    routes = [f"<sip:{proxy.hostport};lr>", f"<sip:{callee.hostport}>", "<sip:z.invalid;lr>"]
    caller.send(caller.compose("INVITE", "sip:far@away.invalid", "route-3@x", FROM, TO, 1, routes=routes), proxy.address)
    seen = callee.request("INVITE")
    expect_equal(seen.uri, f"sip:{callee.hostport}", "Request-URI")
    expect_equal(seen.listed("Route"), ["<sip:z.invalid;lr>", "<sip:far@away.invalid>"], "Route")


@scenario("a configured next hop is pushed on requests that have no Route left")
def next_hop(stage):
    """B59: as a loose Route; what comes from the next hop itself or belongs to a dialog is routed as it says."""
    hop = stage.user_agent("hop")
    proxy = stage.proxy("--next-hop", f"sip:{hop.hostport};lr")
    caller = stage.user_agent("caller", "127.0.0.2")
    caller.send(caller.compose("INVITE", "sip:b@away.invalid", "hop-1@x", FROM, TO, 1), proxy.address)
    seen = hop.request("INVITE")
    expect_equal(seen.uri, "sip:b@away.invalid", "Request-URI")
    route = seen.listed("Route")
    expect(len(route) == 1 and hop.hostport in route[0] and ";lr" in route[0], f"Route {route}")
    hop.send(hop.compose("OPTIONS", caller.uri, "hop-3@x", FROM, TO, 1), proxy.address)
    expect_equal(caller.request("OPTIONS").all("Route"), [], "Route of what comes from the next hop")
    caller.send(caller.compose("OPTIONS", f"sip:{proxy.hostport}", "hop-2@x", FROM, TO, 1), proxy.address)
    expect_equal(caller.final("OPTIONS").status, 200, "OPTIONS to the proxy itself")


@scenario("Max-Forwards is added, replaced or counted down, and an exhausted ACK is dropped")
def max_forwards(stage):
    """B13, B15, B16, B45, E28."""
    proxy, caller, callee = peers(stage)
    for number, (old, wanted) in enumerate((("", "70"), ("Max-Forwards: 300\r\n", "70"), ("Max-Forwards: 0001\r\n", "0"),
                                            ("Max-Forwards: 255\r\n", "254"))):
        message = caller.compose("OPTIONS", callee.uri, f"mf-{number}@x", FROM, TO, 1)
        caller.send(message.replace(b"Max-Forwards: 70\r\n", old.encode()), proxy.address)
        seen = callee.request("OPTIONS")
        expect_equal(seen.get("Max-Forwards").lstrip("0") or "0", wanted, f"Max-Forwards after {old!r}")
        callee.answer(seen, 200, "OK")
        caller.response(200)
    caller.send(caller.compose("ACK", callee.uri, "mf-ack@x", FROM, TO + ";tag=b", 1, max_forwards=0), proxy.address)
    callee.silence(0.3)
    caller.silence(0.1)


@scenario("a looped request is stopped by 482, a spiral is not")
def loop(stage):
    """B18, B19, B20, B22, G7: the same request coming back is a loop; with another Request-URI it is not."""
    proxy, caller, mirror = peers(stage)
    caller.send(caller.compose("OPTIONS", mirror.uri + ";x=1", "loop@x", FROM, TO, 1), proxy.address)
    seen = mirror.request("OPTIONS")
    via = f"Via: SIP/2.0/UDP {mirror.hostport};rport;odd;quoted=\"a;branch=z9hG4bKno,b\";branch=z9hG4bK-mirror".encode()
    head, rest = seen.raw.split(b"\r\n", 1)
    mirror.send(head + b"\r\n" + via + b"1\r\n" + rest, proxy.address)
    expect_equal(mirror.final("OPTIONS").status, 482, "the looped request")
    spiral = head.replace(mirror.uri.encode() + b";x=1", mirror.uri.encode() + b";x=2")
    mirror.send(spiral + b"\r\n" + via + b"2\r\n" + rest, proxy.address)
    again = mirror.request("OPTIONS")
    expect(again.uri.endswith(";x=2"), "the spiral went on")
    expect(again.branch() != seen.branch(), "each pass has a branch of its own")


@scenario("stray ACK and CANCEL of an allowed source pass statelessly, the same way each time")
def stateless(stage):
    """A4, B99, B106, B107, B108, B109, B110, F31: equal branches for equal messages, no response, no timer inserted."""
    proxy, caller, callee = peers(stage)
    for method in ("ACK", "CANCEL"):
        message = caller.compose(method, callee.uri, f"stray-{method}@x", FROM, TO + ";tag=b", 1, ["Supported: timer"])
        branches = set()
        for _ in range(2):
            caller.send(message, proxy.address)
            seen = callee.request(method)
            branches.add(seen.branch())
            expect_equal(seen.all("Session-Expires"), [], f"Session-Expires in {method}")
            expect_equal(seen.get("Max-Forwards"), "69", f"Max-Forwards of {method}")
        expect_equal(len(branches), 1, f"branches of a repeated {method}")
    callee.answer(seen, 481, "Call Does Not Exist")
    caller.silence(0.4)


@scenario("schemes we do not know are refused, unfit next hops too")
def unfit(stage):
    """B11, B12, D10, E5, G9: 416 for tel; never routed by To; broadcast, multicast and unspecified are no next hops."""
    proxy, caller, callee = peers(stage)
    for number, (uri, accepted) in enumerate((
        ("tel:+15550100", {416}), ("mailto:a@example.invalid", {416}), ("<sip:a@127.0.0.1>", {400}),
        ("sip:a@255.255.255.255", {403, 404, 480, 500, 503}), ("sip:a@224.0.0.9", {403, 404, 480, 500, 503}),
        ("sip:a@0.0.0.0", {403, 404, 480, 500, 503}),
    )):
        caller.send(caller.compose("OPTIONS", uri, f"unfit-{number}@x", FROM, f"<{callee.uri}>", 1), proxy.address)
        status = caller.final("OPTIONS").status
        expect(status in accepted, f"{status} to a request for {uri}")
    callee.silence(0.2)


@scenario("double Route of ours is consumed, unknown parameters of the target stay")
def parameters(stage):
    """B33, B43, E35, E38, E39: `lr=on` counts, a foreign port is not us, odd users are legal."""
    proxy, caller, callee = peers(stage)
    uri = f"sip:a;b?c/d,e&f=g+$1%40@{callee.hostport};unknown=1;maddress=none"
    caller.send(
        caller.compose("OPTIONS", uri, "param-1@x", FROM, TO, 1, routes=[f"<sip:{proxy.hostport};lr=on>"]), proxy.address)
    seen = callee.request("OPTIONS")
    expect_equal((seen.uri, seen.all("Route")), (uri, []), "Request-URI and Route")
    routes = [f"<sip:{callee.hostport};lr>"]
    caller.send(caller.compose("OPTIONS", "sip:x@y.invalid", "param-2@x", FROM, TO, 1, routes=routes), proxy.address)
    expect_equal(callee.request("OPTIONS").all("Route"), routes, "a Route that is not us")


@scenario("maddr of ours is stripped on our own port and followed to another")
def maddr(stage):
    """B29, B30, B37: `sip:x@name;maddr=us` on our port loses maddr and port; on another port it is the target."""
    proxy, caller, callee = peers(stage)
    uri = f"sip:x@nowhere.invalid:{callee.port};maddr=127.0.0.1"
    caller.send(caller.compose("OPTIONS", uri, "maddr-1@x", FROM, TO, 1), proxy.address)
    expect_equal(callee.request("OPTIONS").uri, uri, "Request-URI with another port")
    uri = f"sip:x@nowhere.invalid:{proxy.port};maddr=127.0.0.1;transport=udp;keep=1"
    routes = [f"<sip:{callee.hostport};lr>"]
    caller.send(caller.compose("OPTIONS", uri, "maddr-2@x", FROM, TO, 1, routes=routes), proxy.address)
    expect_equal(
        callee.receive(lambda m: m.get("Call-ID") == "maddr-2@x", "OPTIONS").uri, "sip:x@nowhere.invalid;keep=1",
        "Request-URI with our port")


@scenario("the same request by two ways is no error at a proxy")
def merged(stage):
    """B6, C49: no 482; two branches are two transactions."""
    proxy, caller, callee = peers(stage)
    for number in (1, 2):
        caller.send(
            caller.compose("MESSAGE", callee.uri, "merged@x", FROM, TO, 1, branch=f"z9hG4bK-merged{number}"), proxy.address)
        seen = callee.request("MESSAGE")
        callee.answer(seen, 200, "OK")
        caller.response(200)

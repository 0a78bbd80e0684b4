"""RFC 5626: clients that can only be reached over the flow they opened, and what happens when it is gone."""

import time

from harness.call import Call
from harness.suite import eventually, expect, expect_equal, scenario

TIMER = ["Supported: timer", "Session-Expires: 1800"]
AGREED = ["Session-Expires: 1800;refresher=uac", "Require: timer"]
NOWHERE = "192.0.2.7:5060"


def client(stage, transport):
    """A user agent behind a NAT: nobody can reach its Contact."""
    agent = stage.user_agent("caller") if transport == "udp" else stage.stream_agent("caller")
    agent.contact_behind_nat = f"sip:caller@{NOWHERE}" + (";transport=tcp" if transport == "tcp" else "")
    return agent


def lose(agent):
    """Closes its connection and lets the proxy see that."""
    agent.connections[0].close()
    time.sleep(0.2)


@scenario("requests toward a caller behind a NAT come back on its own flow")
def behind_nat(stage):
    """D69, D72: re-INVITE, UPDATE and BYE of the callee, over TCP and over UDP."""
    proxy = stage.proxy(transports=("udp", "tcp"))
    for transport in ("tcp", "udp"):
        caller, callee = client(stage, transport), stage.user_agent("callee")
        call = Call(proxy, caller, callee).set_up(TIMER, AGREED)
        for method in ("INVITE", "UPDATE"):
            request, response = call.refresh(method, "callee", TIMER, AGREED)
            expect_equal(response.status, 200, f"{method} over {transport}")
            expect_equal(request.uri, caller.contact, "Request-URI")
        call.hang_up("callee")
        eventually(proxy.count, lambda n: n == 0, "dialogs after the BYE")


@scenario("a callee behind a NAT that opened the flow earlier is not reached by a new request without its token")
def no_flow(stage):
    """D42, G9: a connection from an address does not make everything at that address reachable over it."""
    proxy = stage.proxy("--t1", "50", transports=("tcp",))
    caller, callee = stage.stream_agent("caller"), client(stage, "tcp")
    place = callee.open(proxy.address).local
    target = f"sip:callee@127.0.0.1:{place[1]};transport=tcp"
    caller.send(
        caller.compose("OPTIONS", target, "no-flow@x", "<sip:a@x.example>;tag=a", "<sip:b@x.example>", 1), proxy.address)
    expect(caller.final("OPTIONS", within=6).status in (408, 480, 500, 503), "a request to an address nobody listens at")
    callee.silence(0.1)


@scenario("a request toward a flow that is gone gets 430")
def dead(stage):
    """D69: at once, and the call itself is left to the caller, who comes back over a new connection."""
    proxy = stage.proxy(transports=("udp", "tcp"))
    caller, callee = client(stage, "tcp"), stage.user_agent("callee")
    call = Call(proxy, caller, callee).set_up(TIMER, AGREED)
    lose(caller)
    expect_equal(call.refused("UPDATE", "callee", TIMER).status, 430, "answer for a dead flow")
    call.refresh("UPDATE", "caller", TIMER, AGREED)
    call.hang_up("caller")
    eventually(proxy.count, lambda n: n == 0, "dialogs after the BYE")


def registered(stage, proxy, transport, *parameters):
    """A client that registered through the proxy; (client, registrar, values of Path it saw)."""
    agent = client(stage, transport)
    registrar = stage.user_agent("registrar") if transport == "udp" else stage.stream_agent("registrar")
    headers = [
        f"Contact: <{agent.contact}>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000000000001>\""
        + "".join(parameters), "Supported: path, outbound", "Expires: 600"]
    aor = "<sip:caller@example.org>"
    agent.send(
        agent.compose("REGISTER", registrar.uri, f"register-{agent.port}@x", aor + ";tag=r", aor, 1, headers), proxy.address)
    seen = registrar.request("REGISTER")
    path = seen.listed("Path")
    registrar.answer(seen, 200, "OK", [f"Path: {value}" for value in path] + ["Supported: path"])
    expect_equal(agent.final("REGISTER").listed("Path"), path, "Path in the answer")
    return agent, registrar, path


def invite_along(registrar, agent, path, proxy):
    """Sends an INVITE of the registrar's own proxy toward the registered contact."""
    message = registrar.compose(
        "INVITE", agent.contact, f"toward-{registrar.port}@x", "<sip:x@example.org>;tag=x",
        "<sip:caller@example.org>", 1, routes=path)
    registrar.send(message, proxy.address)


@scenario("a registered client behind a NAT is called over the flow that its Path names")
def path(stage):
    """D69, D70, D71: with `ob` only for a registration with reg-id."""
    proxy = stage.proxy(transports=("udp", "tcp"))
    for transport in ("tcp", "udp"):
        for parameter in ("", ";reg-id=1"):
            agent, registrar, path = registered(stage, proxy, transport, parameter)
            expect_equal(len(path), 1, "values of Path")
            expect(proxy.hostport in path[0] and ";lr" in path[0], f"Path {path[0]}")
            expect_equal(";ob" in path[0], bool(parameter), f"`ob` in {path[0]}")
            invite_along(registrar, agent, path, proxy)
            seen = agent.request("INVITE")
            expect_equal((seen.uri, seen.listed("Route")), (agent.contact, []), "Request-URI and Route at the client")
            agent.answer(seen, 486, "Busy Here")
            expect_equal(registrar.final("INVITE").status, 486, "answer of the client")


@scenario("a call to a registered client whose flow is gone gets 430; without `path` nothing is added")
def dead_path(stage):
    """D69, D71."""
    proxy = stage.proxy(transports=("udp", "tcp"))
    agent, registrar, path = registered(stage, proxy, "tcp", ";reg-id=1")
    lose(agent)
    invite_along(registrar, agent, path, proxy)
    expect_equal(registrar.final("INVITE").status, 430, "answer for a dead flow")
    plain, registrar = client(stage, "tcp"), stage.stream_agent("registrar")
    plain.send(
        plain.compose("REGISTER", registrar.uri, "plain@x", "<sip:p@x.example>;tag=p", "<sip:p@x.example>", 1,
                      [f"Contact: <{plain.contact}>"]), proxy.address)
    expect_equal(registrar.request("REGISTER").all("Path"), [], "Path without the client's consent")

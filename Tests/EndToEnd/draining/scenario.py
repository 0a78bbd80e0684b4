"""B14: an orderly end over TCP and TLS. What was asked gets its answer, and every peer is told that it was the last."""

import socket
import time

from harness.call import Call
from harness.suite import eventually, expect, expect_equal, scenario
from harness.tls import secure_agent, secure_proxy


class House:
    """A proxy and its peers over one transport, until it closes."""

    def __init__(self, stage, transport):
        self.stage, self.transport = stage, transport
        if transport == "tls":
            self.authority = stage.authority()
            self.proxy, _ = secure_proxy(stage, self.authority)
        else:
            self.proxy = stage.proxy(transports=("tcp",))
        self.hop = self.proxy.over(transport)

    def agent(self, name):
        return secure_agent(self.stage, name, self.authority) if self.transport == "tls" else self.stage.stream_agent(name)

    def ask(self, agent, number):
        """The status of the proxy's own answer to an OPTIONS."""
        uri = f"{'sips' if self.transport == 'tls' else 'sip'}:127.0.0.1:{self.hop.address[1]}"
        agent.send(
            agent.compose("OPTIONS", uri, f"drain-{number}-{agent.port}@x", "<sip:a@x>;tag=a", "<sip:p@x>", 1),
            self.hop.address)
        return agent.final("OPTIONS").status

    def ring(self, caller, callee):
        """(call that rings, its INVITE at the callee)."""
        call = Call(self.hop, caller, callee)
        call.send_invite()
        invite = callee.request("INVITE")
        callee.answer(invite, 180, "Ringing", tag=call.tags["callee"])
        caller.response(180)
        return call, invite

    def drain(self):
        """Asks for the end, which the call that rings holds up."""
        self.proxy.terminate()
        eventually(self.proxy.log.read_text, lambda text: "drain.began" in text, "draining in the log")
        expect(self.proxy.is_running, "an INVITE without a final response holds the end up")

    def expect_end(self, agents, within=3):
        """The process ends with 0, and each connection with FIN, over TLS with close_notify before it."""
        expect_equal(self.proxy.wait(within), 0, f"exit code over {self.transport}")
        for agent in agents:
            expect(agent.connections, f"{agent.name} had a connection")
            for one in agent.connections:
                agent.wait_closed(one)
                expect(one.ended_in_order, f"a connection of {agent.name} over {self.transport} broke")


def over_each(stage):
    return (House(stage, transport) for transport in ("tcp", "tls"))


@scenario("the call being set up gets its last answer over its connection, and every connection ends in order")
def last_answer(stage):
    """B14, D41: 503 for what is new over old and new connections; a call that is up can still be hung up."""
    for house in over_each(stage):
        caller, callee, early, late = (house.agent(name) for name in ("caller", "callee", "early", "late"))
        expect_equal(house.ask(early, 1), 200, "OPTIONS before the end")
        up = Call(house.hop, caller, callee).set_up()
        call, invite = house.ring(caller, callee)
        house.drain()
        for other in (early, late):
            expect_equal(house.ask(other, 2), 503, f"OPTIONS of {other.name} while draining")
            Call(house.hop, other, callee).send_invite()
            refusal = other.final("INVITE")
            expect_equal(refusal.status, 503, f"a new call of {other.name} while draining")
            expect(refusal.get("Retry-After"), "Retry-After")
        up.hang_up()
        callee.answer(invite, 200, "OK", tag=call.tags["callee"])
        caller.response(200, "INVITE")
        callee.silence(0.1)
        house.expect_end((caller, callee, early, late))
        expect_equal([len(agent.connections) for agent in (caller, callee)], [1, 1], "connections of the call")


@scenario("a caller that reads late gets every octet of its answers, though the process may be gone by then")
def slow_reader(stage):
    """B14: half a megabyte, and no reset that takes some of it away."""
    body = "v=0\r\n" + "a=" + "x" * 50_000 + "\r\n"
    for house in over_each(stage):
        caller, callee = house.agent("caller"), house.agent("callee")
        caller.open(house.hop.address).socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        call, invite = house.ring(caller, callee)
        house.drain()
        for status in (183,) * 10 + (200,):
            answer(callee, invite, status, call.tags["callee"], body)
        time.sleep(0.5)
        for status in (183,) * 10 + (200,):
            expect_equal(caller.response(status, "INVITE").body, body.encode(), f"body of a {status}")
        house.expect_end((caller, callee))


def answer(agent, request, status, tag, body):
    """An answer with a body."""
    lines = [f"SIP/2.0 {status} Said", *(f"Via: {value}" for value in request.all("Via")),
             *(f"Record-Route: {value}" for value in request.all("Record-Route")), f"From: {request.get('From')}",
             f"To: {request.get('To')};tag={tag}", f"Call-ID: {request.get('Call-ID')}", f"CSeq: {request.get('CSeq')}",
             f"Contact: <{agent.contact}>", "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", body]
    agent.send("\r\n".join(lines), request.source)


@scenario("a caller that has closed its half gets its answer before the end")
def half_closed(stage):
    """B14, D18: TCP has halves."""
    house = House(stage, "tcp")
    caller, callee = house.agent("caller"), house.agent("callee")
    call, invite = house.ring(caller, callee)
    caller.connections[0].socket.shutdown(socket.SHUT_WR)
    house.drain()
    callee.answer(invite, 486, "Busy Here", tag=call.tags["callee"])
    caller.response(486)
    house.expect_end((caller, callee))


@scenario("a call that nobody answers ends with its connections after 4 s, or at once with a second SIGTERM")
def impatient(stage):
    """B14: these ends are in order too."""
    for house in over_each(stage):
        caller, callee = house.agent("caller"), house.agent("callee")
        house.ring(caller, callee)
        house.drain()
        if house.transport == "tcp":
            house.proxy.terminate()
        house.expect_end((caller, callee), within=6)

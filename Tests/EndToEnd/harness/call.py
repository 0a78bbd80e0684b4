"""A call between two of our own user agents through the proxy, one step at a time."""

import itertools
import re

from .wire import Message

_serial = itertools.count(1)


class Call:
    """Both ends of one call. `by` is "caller" or "callee" wherever a side acts."""

    def __init__(self, proxy, caller, callee):
        self.proxy, self.caller, self.callee = proxy, caller, callee
        self.number = next(_serial)
        self.call_id = f"call-{self.number}-{caller.port}@example.org"
        self.tags = {"caller": f"a{self.number}", "callee": f"b{self.number}"}
        self.cseq = {"caller": 0, "callee": 100}
        self.routes = {"caller": [], "callee": []}
        self.invite_seen = self.success_seen = None

    def agents(self, by):
        return (self.caller, self.callee) if by == "caller" else (self.callee, self.caller)

    def party(self, side, with_tag=True):
        return f"<sip:{side}@example.org>" + (f";tag={self.tags[side]}" if with_tag else "")

    def send_invite(self, headers=(), **options):
        """Sends a new INVITE of the caller; returns its bytes."""
        self.cseq["caller"] += 1
        message = self.caller.compose(
            "INVITE", self.callee.uri, self.call_id, self.party("caller"), self.party("callee", with_tag=False),
            self.cseq["caller"], headers, **options)
        return self.caller.send(message, self.proxy.address)

    def set_up(self, caller_headers=(), callee_headers=(), ring=False):
        """INVITE, 200, ACK. Afterwards `invite_seen` is what the callee got, `success_seen` what the caller got."""
        self.send_invite(caller_headers)
        self.invite_seen = self.callee.request("INVITE")
        if ring:
            self.callee.answer(self.invite_seen, 180, "Ringing", tag=self.tags["callee"])
            self.caller.response(180)
        self.callee.answer(self.invite_seen, 200, "OK", callee_headers, tag=self.tags["callee"])
        self.success_seen = self.caller.response(200, "INVITE")
        self.learn_routes()
        self.acknowledge()
        return self

    def learn_routes(self):
        self.routes["callee"] = self.invite_seen.listed("Record-Route")
        self.routes["caller"] = list(reversed(self.success_seen.listed("Record-Route")))

    def in_dialog(self, method, by, cseq=None, headers=()):
        """Sends a request within the dialog along its route set; returns its bytes."""
        sender, receiver = self.agents(by)
        other = "callee" if by == "caller" else "caller"
        if cseq is None:
            self.cseq[by] += 1
            cseq = self.cseq[by]
        message = sender.compose(
            method, receiver.contact, self.call_id, self.party(by), self.party(other), cseq, headers, self.routes[by])
        match = re.search(r"sips?:(?:[^@>]*@)?(\[[^\]]+\]|[^:;>]+)(?::(\d+))?", (self.routes[by] or [receiver.contact])[0])
        return sender.send(message, (match[1].strip("[]"), int(match[2] or 5060)))

    def acknowledge(self, by="caller"):
        self.in_dialog("ACK", by, cseq=self.cseq[by])
        return self.agents(by)[1].request("ACK")

    def _seen(self, agent, sent, within=3.0):
        """The request `sent` as it arrived at `agent`."""
        return agent.receive(
            lambda m: m.is_request and m.get("Call-ID") == self.call_id and m.get("CSeq") == sent.get("CSeq"),
            sent.get("CSeq"), within)

    def _final(self, agent, sent, within=3.0):
        """The final response to `sent` at its sender."""
        return agent.receive(
            lambda m: (m.status or 0) >= 200 and m.get("Call-ID") == self.call_id and m.get("CSeq") == sent.get("CSeq"),
            f"a final to {sent.get('CSeq')}", within)

    def refresh(self, method, by="caller", headers=(), answer_headers=(), status=200, reason="OK"):
        """A request within the dialog, usually a re-INVITE or UPDATE, and its answer.

        Returns (request as the other side saw it, final response as the sender saw it).
        """
        sender, receiver = self.agents(by)
        sent = Message(self.in_dialog(method, by, headers=headers))
        request = self._seen(receiver, sent)
        receiver.answer(request, status, reason, answer_headers)
        response = self._final(sender, sent)
        if method == "INVITE" and status < 300:
            self.acknowledge(by)
        elif method == "INVITE":
            ack = sender.compose(
                "ACK", sent.uri, self.call_id, sent.get("From"), response.get("To"), sent.get("CSeq").split()[0],
                routes=self.routes[by], branch=sent.branch())
            sender.send(ack, self.proxy.address)
            receiver.request("ACK")
        return request, response

    def refused(self, method, by="caller", headers=()):
        """A request within the dialog that the proxy itself answers; returns the response."""
        sender, _ = self.agents(by)
        return self._final(sender, Message(self.in_dialog(method, by, headers=headers)))

    def hang_up(self, by="caller"):
        sender, receiver = self.agents(by)
        sent = Message(self.in_dialog("BYE", by))
        receiver.answer(self._seen(receiver, sent), 200, "OK")
        response = self._final(sender, sent)
        if response.status != 200:
            raise AssertionError(f"BYE got {response.status}")
        return response

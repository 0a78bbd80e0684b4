"""SIP user agents small enough to control every byte: one socket each, no threads, nothing automatic."""

import itertools
import re
import socket
import time

COMPACT = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "k": "supported", "x": "session-expires", "s": "subject", "e": "content-encoding",
}
_serial = itertools.count(1)


class Message:
    """A received message: its bytes, its start line and its header fields in order."""

    def __init__(self, raw, source=None):
        self.raw, self.source = raw, source
        head, _, self.body = raw.partition(b"\r\n\r\n")
        text = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace"))
        self.start_line, *lines = text.split("\r\n")
        self.fields = []
        for line in lines:
            name, _, value = line.partition(":")
            self.fields.append((name.strip(), value.strip()))

    def all(self, name):
        wanted = name.lower()
        return [v for n, v in self.fields if COMPACT.get(n.lower(), n.lower()) == wanted]

    def get(self, name):
        """The only value of this name, or None; more than one is an error of the sender."""
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f"{name} stands {len(values)} times in:\n{self}")
        return values[0] if values else None

    def listed(self, name):
        """All values of a comma list over all rows (no quoted commas expected)."""
        return [part.strip() for value in self.all(name) for part in value.split(",")]

    @property
    def is_request(self):
        return not self.start_line.startswith("SIP/2.0 ")

    @property
    def method(self):
        return self.start_line.split(" ")[0] if self.is_request else self.get("CSeq").split()[1]

    @property
    def uri(self):
        return self.start_line.split(" ")[1]

    @property
    def status(self):
        return None if self.is_request else int(self.start_line.split(" ")[1])

    def tag(self, name):
        match = re.search(r";\s*tag=([^;\s]+)", self.get(name))
        return match[1] if match else None

    def branch(self):
        return re.search(r";\s*branch=([^;,\s]+)", self.listed("Via")[0])[1]

    def __str__(self):
        return self.raw.decode("utf-8", "replace")


class UserAgent:
    """One UDP socket that speaks SIP when told to."""

    transport = "UDP"

    def __init__(self, name, host="127.0.0.1", port=0):
        self.name, self.host = name, host
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.port = self.socket.getsockname()[1]
        self.contact_behind_nat = None
        self.log = []
        self._waiting = []

    @property
    def hostport(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def uri(self):
        return f"sip:{self.name}@{self.hostport}"

    @property
    def contact(self):
        """What its Contact says; behind a NAT that is nothing anybody can reach."""
        return self.contact_behind_nat or self.uri

    def send(self, message, to):
        data = message if isinstance(message, bytes) else message.encode()
        self.log.append(("sent", time.monotonic(), data))
        self.socket.sendto(data, to)
        return data

    def _read(self, deadline):
        self.socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data, source = self.socket.recvfrom(65535)
        except (TimeoutError, BlockingIOError, ConnectionRefusedError):
            return None
        self.log.append(("received", time.monotonic(), data))
        return Message(data, source)

    def receive(self, accept, what, within=3.0):
        """The next message that `accept` takes; others are kept for later calls."""
        for message in self._waiting:
            if accept(message):
                self._waiting.remove(message)
                return message
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            message = self._read(deadline)
            if message is None:
                continue
            if accept(message):
                return message
            self._waiting.append(message)
        seen = "; ".join(m.start_line for m in self._waiting) or "nothing"
        raise AssertionError(f"{self.name} waited {within} s for {what}, got {seen}")

    def request(self, method, within=3.0):
        return self.receive(lambda m: m.is_request and m.method == method, method, within)

    def response(self, status, method=None, within=3.0):
        def accept(message):
            return message.status == status and method in (None, message.method)
        return self.receive(accept, f"{status} to {method or 'anything'}", within)

    def final(self, method, within=3.0):
        return self.receive(lambda m: (m.status or 0) >= 200 and m.method == method, f"a final to {method}", within)

    def silence(self, seconds, besides=lambda message: False):
        """Fails when anything but 100 Trying arrives in `seconds` that `besides` does not excuse."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self._read(deadline)
            if message is not None:
                self._waiting.append(message)
        for message in self._waiting:
            if message.status != 100 and not besides(message):
                raise AssertionError(f"{self.name} got what nobody should have sent:\n{message}")

    def compose(self, method, uri, call_id, from_value, to_value, cseq, headers=(), routes=(), body=b"", branch=None,
                max_forwards=70):
        """A request as bytes; `headers` are complete lines."""
        branch = branch or f"z9hG4bK-{self.port}-{next(_serial)}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {self.hostport};rport;branch={branch}",
            f"Max-Forwards: {max_forwards}",
            *[f"Route: {route}" for route in routes],
            f"From: {from_value}",
            f"To: {to_value}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
        ]
        if method in ("INVITE", "UPDATE", "SUBSCRIBE", "REFER"):
            lines.append(f"Contact: <{self.contact}>")
        lines += [*headers, f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    def answer(self, request, status, reason, headers=(), tag=None, contact=True):
        """Sends a response to where the request came from."""
        lines = [f"SIP/2.0 {status} {reason}"]
        lines += [f"Via: {value}" for value in request.all("Via")]
        if status < 300 and request.method in ("INVITE", "SUBSCRIBE", "REFER"):
            lines += [f"Record-Route: {value}" for value in request.all("Record-Route")]
        to = request.get("To")
        if status > 100 and request.tag("To") is None:
            to += f";tag={tag or self.name}"
        lines += [f"From: {request.get('From')}", f"To: {to}", f"Call-ID: {request.get('Call-ID')}",
                  f"CSeq: {request.get('CSeq')}"]
        if contact and 100 < status < 300 and request.method in ("INVITE", "UPDATE"):
            lines.append(f"Contact: <{self.contact}>")
        lines += [*headers, "Content-Length: 0", "", ""]
        return self.send("\r\n".join(lines), request.source)

    def close(self):
        self.socket.close()

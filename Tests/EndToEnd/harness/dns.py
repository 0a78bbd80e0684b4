"""A small DNS server over UDP on loopback, whose zone a scenario writes down."""

import socket
import struct
import threading

TYPES = {"A": 1, "SOA": 6, "AAAA": 28, "SRV": 33, "NAPTR": 35}
NAMES = {number: name for name, number in TYPES.items()}


def _name(text):
    labels = [label.encode() for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _text(text):
    return bytes([len(text)]) + text.encode()


def a(address):
    return "A", socket.inet_aton(address)


def aaaa(address):
    return "AAAA", socket.inet_pton(socket.AF_INET6, address)


def srv(priority, weight, port, target):
    return "SRV", struct.pack("!HHH", priority, weight, port) + _name(target)


def naptr(order, preference, service, replacement):
    return "NAPTR", struct.pack("!HH", order, preference) + _text("s") + _text(service) + _text("") + _name(replacement)


class DNSServer:
    """Answers from `zone`: name -> records made by the functions above; what is not in it does not exist.

    Names in `silent` get no answer, those in `broken` SERVFAIL. `asked` is what came in, as (name, type).
    """

    def __init__(self, zone=None, time_to_live=300):
        self.zone, self.time_to_live = zone or {}, time_to_live
        self.silent, self.broken = set(), set()
        self.is_silent = False
        self.asked = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def hostport(self):
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def questions(self, name):
        """The types asked for at one name, in order."""
        return [kind for asked, kind in self.asked if asked == name]

    def _work(self):
        while not self._stop.is_set():
            try:
                query, source = self._socket.recvfrom(4096)
            except socket.timeout:
                continue
            except OSError:
                return
            reply = self._reply(query)
            if reply:
                self._socket.sendto(reply, source)

    def _reply(self, query):
        labels, position = [], 12
        while query[position]:
            length = query[position]
            labels.append(query[position + 1:position + 1 + length].decode("ascii", "replace"))
            position += 1 + length
        name = ".".join(labels).lower()
        number = struct.unpack("!H", query[position + 1:position + 3])[0]
        question = query[12:position + 5]
        self.asked.append((name, NAMES.get(number, str(number))))
        if self.is_silent or name in self.silent:
            return None
        if name in self.broken:
            return query[:2] + struct.pack("!HHHHH", 0x8182, 1, 0, 0, 0) + question
        records = [data for kind, data in self.zone.get(name, []) if TYPES[kind] == number]
        answers = b"".join(self._record(number, data) for data in records)
        if records:
            return query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0) + question + answers
        denial = self._record(TYPES["SOA"], _name("ns") + _name("root") + struct.pack("!IIIII", 1, 2, 3, 4, 60))
        code = 0x8180 if name in self.zone else 0x8183
        return query[:2] + struct.pack("!HHHHH", code, 1, 0, 1, 0) + question + denial

    def _record(self, number, data):
        return b"\xc0\x0c" + struct.pack("!HHIH", number, 1, self.time_to_live, len(data)) + data

    def close(self):
        self._stop.set()
        self._thread.join()
        self._socket.close()

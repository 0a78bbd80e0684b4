"""User agents over TCP, and over TLS with a context of harness/tls.py: the same steps as over UDP, every byte ours."""

import re
import select
import socket
import ssl
import time

from .wire import Message, UserAgent

_LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*([0-9]+)")


class Connection:
    """One connection of an agent. `opened` tells whether the agent opened it, to `peer`, or accepted it from there."""

    def __init__(self, new, peer, opened):
        self.socket, self.peer, self.opened = new, peer, opened
        self.is_closed = False
        self.ended_in_order = False  # by the other side: FIN, and over TLS close_notify before it
        self.octets = b""
        self.pongs = 0

    @property
    def local(self):
        return self.socket.getsockname()

    def send(self, data):
        self.socket.settimeout(5)
        self.socket.sendall(data)

    def read(self):
        """Takes in what is there; notes when the other side has closed."""
        self.socket.settimeout(0.5)
        try:
            data = self.socket.recv(65536)
            self.ended_in_order = not data
        except (TimeoutError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        self.octets += data

    def message(self):
        """The next complete message, or None. Line ends between messages are answers to pings."""
        while self.octets.startswith(b"\r\n"):
            self.octets = self.octets[2:]
            self.pongs += 1
        head, end, rest = self.octets.partition(b"\r\n\r\n")
        if not end:
            return None
        match = _LENGTH.search(head)
        length = int(match[1]) if match else 0
        if len(rest) < length:
            return None
        self.octets = rest[length:]
        return head + end + rest[:length]

    def close(self):
        self.is_closed = True
        self.socket.close()

    def reset(self):
        """Closes so that the other side gets a reset instead of an end of stream."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()


class StreamAgent(UserAgent):
    """Speaks SIP over connections: those it opens, one for each address, and those that its listening socket accepts."""

    transport = "TCP"

    def __init__(self, name, host="127.0.0.1", secure=None, port=0):
        self.name, self.host = name, host
        self.secure = secure
        self.contact_behind_nat = None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server((host, port), family=family, backlog=128)
        self.port = self.socket.getsockname()[1]
        self.connections = []
        self.log = []
        self._waiting = []
        self._turn = 0
        if secure:
            self.transport = "TLS"

    @property
    def uri(self):
        if self.secure:
            return f"sips:{self.name}@{self.secure.name}:{self.port}"
        return f"sip:{self.name}@{self.hostport};transport=tcp"

    def open(self, to):
        """A new connection to an address."""
        new = socket.create_connection(to, timeout=5, source_address=(self.host, 0))
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.secure:
            new = self.secure.connect(new)
        connection = Connection(new, to, opened=True)
        self.connections.append(connection)
        return connection

    def connection(self, to):
        """The open connection to an address that we opened, else a new one."""
        for one in self.connections:
            if one.opened and one.peer == to and not one.is_closed:
                return one
        return self.open(to)

    def send(self, message, to):
        """`to` is a connection or an address."""
        data = message if isinstance(message, bytes) else message.encode()
        self.log.append(("sent", time.monotonic(), data))
        connection = to if isinstance(to, Connection) else self.connection(to)
        connection.send(data)
        return data

    def _buffered(self):
        # Each connection in turn, so that none starves another.
        for offset in range(len(self.connections)):
            index = (self._turn + offset) % len(self.connections)
            data = self.connections[index].message()
            if data is not None:
                self._turn = index + 1
                self.log.append(("received", time.monotonic(), data))
                return Message(data, self.connections[index])
        return None

    def _read(self, deadline):
        while True:
            message = self._buffered()
            if message is not None:
                return message
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            alive = [one for one in self.connections if not one.is_closed]
            ready = [one for one in alive if self.secure and one.socket.pending()]
            if not ready:
                sockets = {one.socket: one for one in alive}
                readable, _, _ = select.select([self.socket, *sockets], [], [], left)
                if self.socket in readable:
                    self._accept()
                ready = [sockets[one] for one in readable if one is not self.socket]
            for one in ready:
                one.read()

    def _accept(self):
        new, peer = self.socket.accept()
        new.settimeout(5)
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.secure:
            try:
                new = self.secure.accept(new)
            except (ssl.SSLError, OSError):
                self.secure.refused += 1
                new.close()
                return
        self.connections.append(Connection(new, peer, opened=False))

    def wait_closed(self, connection, within=3.0):
        """Fails unless the other side closes the connection."""
        deadline = time.monotonic() + within
        while not connection.is_closed:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: the connection is still open after {within} s")
            message = self._read(min(deadline, time.monotonic() + 0.05))
            if message is not None:
                self._waiting.append(message)

    def close(self):
        for one in self.connections:
            if not one.is_closed:
                one.close()
        self.socket.close()

"""A UDP relay that records and, from a seed, loses datagrams."""

import random
import selectors
import socket
import threading


class Relay:
    """Stands between peers and the proxy: `recorded` is what went through, as (direction, whether it was lost, octets).

    `loss` is the probability for each datagram, in both directions. The proxy sees one address for each peer.
    """

    def __init__(self, target, loss=0.0, seed=1):
        self.target, self.loss = target, loss
        self.recorded = []
        self.lost = 0
        self._random = random.Random(seed)
        self._inner = self._socket()
        self._outer = {}  # by address of the peer
        self._peer = {}  # by outer socket
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @staticmethod
    def _socket():
        new = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        new.bind(("127.0.0.1", 0))
        new.setblocking(False)
        return new

    @property
    def address(self):
        return self._inner.getsockname()

    def _work(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._inner, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in selector.select(0.1):
                    self._pass_on(key.fileobj, selector)

    def _pass_on(self, source, selector):
        try:
            data, sender = source.recvfrom(65535)
        except OSError:
            return
        toward_proxy = source is self._inner
        if toward_proxy and sender not in self._outer:
            self._outer[sender] = self._socket()
            self._peer[self._outer[sender]] = sender
            selector.register(self._outer[sender], selectors.EVENT_READ)
        dropped = self._random.random() < self.loss
        self.recorded.append(("to proxy" if toward_proxy else "from proxy", dropped, data))
        if dropped:
            self.lost += 1
        elif toward_proxy:
            self._outer[sender].sendto(data, self.target)
        else:
            self._inner.sendto(data, self._peer[source])

    def close(self):
        self._stop.set()
        self._thread.join()
        self._inner.close()
        for outer in self._outer.values():
            outer.close()

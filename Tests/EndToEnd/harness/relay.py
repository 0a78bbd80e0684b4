"""A UDP relay for one client that records and, from a seed, loses datagrams."""

import random
import selectors
import socket
import threading


class Relay:
    """Stands between one peer and the proxy. `loss` is the probability for each datagram, in both directions."""

    def __init__(self, target, loss=0.0, seed=1):
        self.target, self.loss = target, loss
        self.recorded = []
        self.lost = 0
        self._random = random.Random(seed)
        self._client = None
        self._inner = self._socket()
        self._outer = self._socket()
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
            selector.register(self._outer, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in selector.select(0.1):
                    self._pass_on(key.fileobj)

    def _pass_on(self, source):
        try:
            data, sender = source.recvfrom(65535)
        except OSError:
            return
        if source is self._inner:
            self._client = sender
        toward_proxy = source is self._inner
        dropped = self._random.random() < self.loss
        self.recorded.append(("to proxy" if toward_proxy else "from proxy", dropped, data))
        if dropped:
            self.lost += 1
        elif toward_proxy:
            self._outer.sendto(data, self.target)
        elif self._client:
            self._inner.sendto(data, self._client)

    def close(self):
        self._stop.set()
        self._thread.join()
        self._inner.close()
        self._outer.close()

"""Declaring, finding and running scenarios; what a scenario gets to work with."""

import fnmatch
import importlib.util
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .baresip import Baresip
from .dns import DNSServer
from .kamailio import Kamailio
from .linphone import Linphone
from .proxy import Proxy
from .relay import Relay
from .sipp import Sipp
from .stream import StreamAgent
from .tls import Authority
from .wire import UserAgent

_scenarios = []


@dataclass
class Scenario:
    name: str
    body: object
    folder: Path
    slow: bool

    @property
    def title(self):
        return f"{self.folder.name}: {self.name}"


def scenario(name, slow=False):
    """Marks a function of one argument (the `Stage`) as a scenario named by a sentence.

    Slow ones wait for real time to pass: each has a thread of its own from the start of the run.
    """

    def mark(body):
        _scenarios.append(Scenario(name, body, Path(body.__code__.co_filename).parent, slow))
        return body

    return mark


class Failure(AssertionError):
    """An expectation that did not hold, or a peer that waited in vain."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def expect_equal(actual, wanted, what):
    if actual != wanted:
        raise Failure(f"{what}: expected {wanted!r}, got {actual!r}")


def eventually(read, accept, what, within=3.0, every=0.05):
    """Reads until the value is accepted and returns it; fails with the last value after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = read()
        if accept(value):
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what}: still {value!r} after {within} s")
        time.sleep(every)


class Ports:
    """Ports free for UDP and TCP, below the ephemeral range, so that no outgoing socket of anyone takes one meanwhile."""

    def __init__(self):
        self._lock = threading.Lock()
        self._next = random.randrange(12000, 24000)

    def take(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with self._lock:
            for _ in range(5000):
                self._next = 12000 + (self._next + 1 - 12000) % 18000
                with socket.socket(family, socket.SOCK_DGRAM) as datagrams, socket.socket(family) as stream:
                    try:
                        datagrams.bind((host, self._next))
                        stream.bind((host, self._next))
                        return self._next
                    except OSError:
                        continue
        raise Failure("no free port")


class Stage:
    """One scenario's world: it makes proxies, peers and relays, and takes all of them down at the end."""

    def __init__(self, scenario, options, ports):
        self.folder = scenario.folder
        self.binary = options.binary
        self.scratch = Path(tempfile.mkdtemp(prefix="callkeeper-e2e-"))
        self._ports = ports
        self._owned = []
        self._proxies = []

    def port(self, host="127.0.0.1"):
        return self._ports.take(host)

    def proxy(self, *flags, host="127.0.0.1", port=None, control=None, expect_ready=True, transports=("udp",),
              files=None):
        """A proxy listening on a free port of `host`, with a control socket of its own unless one is given.

        UDP and TCP share the number of the port; TLS has one of its own. `files` is the hard limit of its descriptors.
        """
        number = len(self._proxies) + 1
        port = port or self.port(host)
        listeners = [(one, self.port(host) if one == "tls" else port) for one in transports]
        proxy = Proxy(self.binary, self.scratch / f"proxy{number}", host, port, flags, control, listeners, files)
        self._proxies.append(proxy)
        self._owned.append(proxy)
        proxy.start(expect_ready)
        return proxy

    def sipp(self, role, file, **options):
        """One sipp process running `file` of this scenario's folder; not started yet."""
        peer = Sipp(role, (self.folder / file).resolve(), self.scratch, self.port(), **options)
        self._owned.append(peer)
        return peer

    def user_agent(self, name, host="127.0.0.1", port=0):
        """A user agent of our own over UDP."""
        agent = UserAgent(name, host, port)
        self._owned.append(agent)
        return agent

    def stream_agent(self, name, host="127.0.0.1", secure=None, port=0):
        """A user agent of our own over TCP, or over TLS with the side of it that `secure` is."""
        agent = StreamAgent(name, host, secure, port)
        self._owned.append(agent)
        return agent

    def kamailio(self, host, configuration="kamailio.cfg", port=None, **options):
        """A Kamailio on a free port of `host`, with a configuration of this scenario's folder; it answers already."""
        neighbour = Kamailio(self.folder / configuration, self.scratch, host, port or self.port(host), **options)
        self._owned.append(neighbour)
        return neighbour

    def linphone(self, name, route, host="127.0.0.1", **options):
        """A phone of Linphone's whose outbound proxy is the address `route`; it listens already."""
        phone = Linphone(name, self.scratch, host, self.port(host), route, **options)
        self._owned.append(phone)
        eventually(lambda: phone.is_listening, bool, f"the socket of {name}'s phone", within=20)
        return phone

    def baresip(self, name, route, host="127.0.0.1", **options):
        """A phone of Baresip's whose outbound proxy is the address `route`; it listens already."""
        port, following = self.port(host), self.port(host)
        while following != port + 1:
            port, following = following, self.port(host)
        phone = Baresip(name, self.scratch, host, port, self.port(host), route, **options)
        self._owned.append(phone)
        return phone

    def authority(self, name="root"):
        """A certificate authority that nobody else knows."""
        return Authority(self.scratch, name)

    def dns(self, zone=None, **options):
        """A DNS server of our own with the given names."""
        server = DNSServer(zone, **options)
        self._owned.append(server)
        return server

    def relay(self, target, **options):
        relay = Relay(target, **options)
        self._owned.append(relay)
        return relay

    def close(self, passed, keep):
        problems = []
        for thing in reversed(self._owned):
            try:
                thing.close()
            except Exception as problem:  # every one must be closed, whatever happens to another
                problems.append(f"{type(thing).__name__}: {problem}")
        for proxy in self._proxies:
            problems += proxy.complaints()
        if passed and not problems and not keep:
            shutil.rmtree(self.scratch, ignore_errors=True)
        return problems


def load(folder):
    """Loads every `scenario.py` below `folder` and returns the scenarios found."""
    for file in sorted(folder.glob("*/scenario.py")):
        name = "scenario_" + file.parent.name.replace("-", "_")
        specification = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        specification.loader.exec_module(module)
    return list(_scenarios)


def selected(scenarios, pattern):
    if not pattern:
        return scenarios
    wanted = pattern.lower()
    return [s for s in scenarios if wanted in s.title.lower() or fnmatch.fnmatch(s.folder.name, wanted)]


def _run_one(one, options, ports):
    started = time.monotonic()
    stage = Stage(one, options, ports)
    problem = None
    try:
        one.body(stage)
    except AssertionError as failure:
        lines = [f.lineno for f in traceback.extract_tb(failure.__traceback__) if f.filename.startswith(str(one.folder))]
        problem = f"scenario.py line {', '.join(map(str, lines))}: {failure}"
    except Exception:
        problem = traceback.format_exc()
    complaints = stage.close(problem is None, options.keep)
    problem = "\n".join(filter(None, [problem, *complaints])) or None
    seconds = time.monotonic() - started
    print(f"{'FAILED' if problem else 'ok':6} {seconds:6.1f} s  {one.title}", flush=True)
    if problem:
        where = f"\nlogs: {stage.scratch}"
        print("       " + (problem + where).replace("\n", "\n       "), flush=True)
    return problem is None


def run(scenarios, options):
    """Runs the slow ones in threads of their own beside the others; returns how many passed and failed."""
    ports = Ports()
    slow = [s for s in scenarios if s.slow]
    quick = [s for s in scenarios if not s.slow]
    with ThreadPoolExecutor(max(1, len(slow))) as waiting, ThreadPoolExecutor(options.jobs) as pool:
        futures = [waiting.submit(_run_one, s, options, ports) for s in slow]
        futures += [pool.submit(_run_one, s, options, ports) for s in quick]
        results = [future.result() for future in futures]
    return results.count(True), results.count(False)

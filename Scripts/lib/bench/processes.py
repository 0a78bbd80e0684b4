"""Processes that are started, measured and ended; every figure comes from /proc."""

import os
import random
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Cpu:
    """Seconds of processor time. The total is exact; how it is divided is sampled by the kernel's tick."""

    total: float = 0.0
    user: float = 0.0
    system: float = 0.0

    def __sub__(self, other):
        return Cpu(self.total - other.total, self.user - other.user, self.system - other.system)


class Process:
    """A program in a session of its own, so that whatever it starts can be measured and ended with it."""

    def __init__(self, command, folder, name, environment=None):
        self.log = folder / f"{name}.log"
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                env=environment, start_new_session=True)
        self.pid = self._process.pid

    @property
    def is_running(self):
        return self._process.poll() is None

    def tail(self, lines=8):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def members(self):
        """The process ids of its session."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                fields = _stat(entry)
                if fields and int(fields[3]) == self.pid:
                    found.append(int(entry))
        return found

    def cpu(self):
        """What the whole session has used so far."""
        used = Cpu()
        for pid in self.members():
            fields = _stat(pid)
            if not fields:
                continue
            used.user += int(fields[11]) / TICKS
            used.system += int(fields[12]) / TICKS
            for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                used.total += int((_read(task) or "0").split()[0]) / 1e9
        return used

    def pss(self):
        """Proportional set size of the session in KiB: a page that several share counts once."""
        kib = 0
        for pid in self.members():
            for line in (_read(f"/proc/{pid}/smaps_rollup") or "").splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
        return kib

    def end(self):
        """Asks it to end, and ends what is left of its session after six seconds."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(6)
            except subprocess.TimeoutExpired:
                pass
        if self.members():
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()


class Sampler:
    """Reads something every `period` seconds in a thread of its own; `samples` are (monotonic time, value)."""

    def __init__(self, read, period=0.5):
        self.samples = []
        self._read, self._period = read, period
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _run(self):
        due = time.monotonic()
        while True:
            value = self._read()
            if value is not None:
                self.samples.append((time.monotonic(), value))
            due += self._period
            if self._done.wait(max(0.0, due - time.monotonic())):
                return

    def at(self, when):
        """The value at a time, interpolated between the samples around it."""
        before = [s for s in self.samples if s[0] <= when] or self.samples[:1]
        after = [s for s in self.samples if s[0] > when] or self.samples[-1:]
        (start, first), (end, last) = before[-1], after[0]
        return first if end <= start else first + (last - first) * (when - start) / (end - start)

    def between(self, start, end):
        return [value for when, value in self.samples if start <= when <= end]


class Ports:
    """Loopback ports that are free for UDP and TCP, below the range of outgoing sockets."""

    def __init__(self):
        self._next = random.randrange(12000, 30000)

    def take(self):
        for _ in range(5000):
            self._next = 12000 + (self._next - 11999) % 18000
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as stream:
                try:
                    datagrams.bind(("127.0.0.1", self._next))
                    stream.bind(("127.0.0.1", self._next))
                    return self._next
                except OSError:
                    continue
        raise OSError("no free port on 127.0.0.1")


def udp_socket(port):
    """The line of /proc/net/udp for a port, as fields; None when nobody has it."""
    for line in (_read("/proc/net/udp") or "").splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{port:04X}"):
            return fields
    return None


def udp_drops(port):
    """Datagrams for which the socket's buffer had no room."""
    fields = udp_socket(port)
    return int(fields[12]) if fields else 0


def _read(path):
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _stat(pid):
    """/proc/PID/stat from the state on: [1] parent, [3] session, [11] user and [12] system ticks."""
    text = _read(f"/proc/{pid}/stat")
    return text[text.rindex(")") + 2:].split() if text else None

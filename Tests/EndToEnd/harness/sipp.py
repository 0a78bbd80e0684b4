"""sipp as caller or callee of a scenario."""

import re
import subprocess
import time

from .wire import Message


class Sipp:
    """One sipp process. A caller sends to the proxy while its Request-URI names the callee."""

    def __init__(self, role, file, scratch, port, calls=1, rate=10, host="127.0.0.1", extra=(), timeout=60, trace=True,
                 transport="u1"):
        self.role, self.file, self.port, self.calls, self.rate = role, file, port, calls, rate
        self.host, self.timeout, self.trace = host, timeout, trace
        self.is_stream = transport.startswith("t")
        self.extra = ["-t", transport, "-max_socket", "2000", *extra]
        base = scratch / f"{file.stem}-{role}-{port}"
        self.messages_file = base.with_suffix(".messages")
        self.errors_file = base.with_suffix(".errors")
        self.screen_file = base.with_suffix(".screen")
        self.scratch = scratch
        self.process = None

    @property
    def address(self):
        return (self.host, self.port)

    def start(self, proxy=None, callee=None):
        command = [
            "sipp", "-sf", str(self.file), "-i", self.host, "-p", str(self.port), "-m", str(self.calls),
            "-nostdin", "-timeout", f"{self.timeout}s", "-timeout_error", "-cid_str", f"%u-%p-{self.role}@%s",
            "-trace_err", "-error_file", str(self.errors_file), *self.extra]
        if self.trace:
            command += ["-trace_msg", "-message_file", str(self.messages_file)]
        if callee is not None:
            command += ["-r", str(self.rate), "-rsa", f"{proxy[0]}:{proxy[1]}", f"{callee[0]}:{callee[1]}"]
        with open(self.screen_file, "wb") as screen:
            self.process = subprocess.Popen(
                command, cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen)
        return self

    def wait_until_listening(self, within=10):
        """Over TCP a call that comes too early is refused, and nobody repeats it."""
        wanted = f":{self.port:04X}"
        deadline = time.monotonic() + within
        while self.is_stream and time.monotonic() < deadline:
            with open("/proc/net/tcp", encoding="ascii") as table:
                rows = [line.split() for line in table.readlines()[1:]]
            if any(row[1].endswith(wanted) and row[3] == "0A" for row in rows):
                return
            time.sleep(0.05)

    def wait(self):
        """Fails unless every call of this side went as its scenario says."""
        code = self.process.wait(self.timeout + 10)
        if code != 0:
            errors = self.errors_file.read_text(errors="replace")[-1500:] if self.errors_file.exists() else ""
            raise AssertionError(f"sipp {self.role} {self.file.name} ended with {code}\n{errors}")

    def messages(self):
        """Every message of the trace as (direction, Message); direction is "sent" or "received"."""
        text = self.messages_file.read_bytes()
        parts = re.split(rb"(?m)^-{20,}[^\n]*\n", text)
        found = []
        for part in parts:
            match = re.match(rb"(?:UDP|TCP|TLS) message (sent|received)[^\n]*\n\n(.*)", part, re.DOTALL)
            if match:
                raw = match[2].rstrip(b"\n")
                raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                found.append((match[1].decode(), Message(raw + (b"" if b"\r\n\r\n" in raw else b"\r\n\r\n"))))
        return found

    def received(self, start):
        """The received messages whose start line matches the regular expression `start`."""
        return [m for direction, m in self.messages() if direction == "received" and re.match(start, m.start_line)]

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run_pair(proxy, caller, callee):
    """Runs a caller and a callee through the proxy and waits until both are content."""
    callee.start()
    callee.wait_until_listening()
    caller.start(proxy.address if hasattr(proxy, "address") else proxy, callee.address)
    caller.wait()
    callee.wait()

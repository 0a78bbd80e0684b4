"""The proxy under test as a process, and its query interface."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from types import SimpleNamespace


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=10):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Proxy:
    """`callkeeper run`; `listeners` are (transport, port) pairs of its one host."""

    def __init__(self, binary, folder, host, port, flags, control=None, listeners=None, files=None):
        self.binary = str(binary)
        self.listeners = dict(listeners or [("udp", port)])
        self.host, self.port, self.flags = host, port, list(flags)
        folder.mkdir(parents=True, exist_ok=True)
        self.control = control or folder / "ck.sock"
        self.log = folder / "stderr.log"
        self.files = files
        self.process = None
        self._ready = threading.Event()
        self._ended_on_purpose = self._killed = False

    @property
    def address(self):
        """(host, port) as sockets take it."""
        return (self.host, self.port)

    def over(self, transport):
        """Its listener for a transport as the first hop of a call."""
        return SimpleNamespace(address=(self.host, self.listeners[transport]))

    @property
    def hostport(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def start(self, expect_ready=True):
        host = f"[{self.host}]" if ":" in self.host else self.host
        command = [self.binary, "run"]
        for transport, port in self.listeners.items():
            command += ["--listen", f"{transport}:{host}:{port}"]
        command += ["--control", str(self.control), *self.flags]
        if self.files:
            command = ["sh", "-c", f'ulimit -n {self.files} && exec "$0" "$@"', *command]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CALLKEEPER_")}
        environment["SWIFT_BACKTRACE"] = "enable=no"
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        threading.Thread(target=self._read_log, daemon=True).start()
        if expect_ready and not self._ready.wait(10):
            raise AssertionError(f"the proxy is not ready: {self.tail()}")

    def _read_log(self):
        with open(self.log, "wb") as log:
            for line in self.process.stderr:
                log.write(line)
                log.flush()
                if b"ready" in line:
                    self._ready.set()

    def tail(self, lines=8):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def command(self, *arguments, timeout=10):
        """Runs another `callkeeper` command against this proxy's control socket."""
        return subprocess.run(
            [self.binary, *arguments, "--control", str(self.control)], capture_output=True, text=True, timeout=timeout)

    def count(self):
        """What `callkeeper count` prints: exactly one integer and a line end."""
        result = self.command("count")
        text = result.stdout
        if result.returncode != 0 or not text.endswith("\n") or not text.strip().isdigit() or text.count("\n") != 1:
            raise AssertionError(f"count: exit {result.returncode}, stdout {text!r}, stderr {result.stderr!r}")
        return int(text)

    def get(self, path):
        """(status, body as text) of one GET on the control socket."""
        connection = UnixConnection(self.control)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8")
        except OSError as problem:
            raise AssertionError(f"GET {path}: {problem}") from problem
        finally:
            connection.close()

    def get_json(self, path):
        status, text = self.get(path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {text}")
        return json.loads(text)

    def counts(self):
        return self.get_json("/dialogs/count")

    def private_memory(self):
        """Anonymous PSS in KiB: what the process itself holds.

        The rest of its PSS is program text, whose share depends on how many other proxies run beside it.
        """
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith("Pss_Anon:"):
                    return int(line.split()[1])
        raise AssertionError("no Pss_Anon line")

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def terminate(self):
        """Asks for an orderly end without waiting for it."""
        self._ended_on_purpose = True
        self.process.send_signal(signal.SIGTERM)

    def wait(self, within):
        """The exit code, or None if the process still runs after `within` seconds."""
        self._ended_on_purpose = True
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """Ends the process as a crash would: nothing is cleaned up."""
        self._killed = self._ended_on_purpose = True
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.is_running:
            self.terminate()
            started = time.monotonic()
            code = self.wait(6)
            if code is None:
                self.process.kill()
                self.process.wait()
                raise AssertionError("SIGTERM did not end the proxy within 6 s")
            if code != 0:
                raise AssertionError(f"exit code {code} after SIGTERM and {time.monotonic() - started:.1f} s")

    def complaints(self):
        """What no scenario may see: an end nobody asked for, or a trap in the log."""
        if self.process is None:
            return []
        problems = []
        if not self._ended_on_purpose and self.process.returncode is not None:
            problems.append(f"the proxy ended by itself with {self.process.returncode}: {self.tail()}")
        if not self._killed and (self.process.returncode or 0) < 0:
            problems.append(f"the proxy was killed by signal {-self.process.returncode}: {self.tail()}")
        if self.log.exists() and b"Fatal error" in self.log.read_bytes():
            problems.append(f"the proxy trapped: {self.tail()}")
        return problems

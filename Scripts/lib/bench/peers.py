"""Who is measured: the relay, builds of callkeeper, Kamailio. Each is one proxy on one UDP port of 127.0.0.1."""

import http.client
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from .processes import Process, udp_socket

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / ".build-bench"

sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))
from harness.tools import Program  # noqa: E402


class Failed(Exception):
    """Something could not be measured; the text says why, in one line if it can."""


class Peer:
    """A proxy under measurement; `start` gives it its ports and a folder of its own."""

    def __init__(self, name):
        self.name = name
        self.process = None

    def start(self, port, callee_port, folder):
        self.port, self.folder = port, folder
        command, environment = self.command(port, callee_port)
        self.process = Process(command, folder, self.name, environment)
        deadline = time.monotonic() + 15
        while not udp_socket(port):
            if not self.process.is_running or time.monotonic() > deadline:
                raise Failed(f"{self.name} does not listen on its port:\n{self.process.tail()}")
            time.sleep(0.05)
        # Whoever opens sockets first and starts its workers afterwards is given the time for it.
        time.sleep(0.5)

    def command(self, port, callee_port):
        raise NotImplementedError

    def count(self):
        """Dialogs it counts; None for one that counts none."""
        return None

    def end(self):
        if self.process:
            self.process.end()


class Relay(Peer):
    """The kernel's floor: the C program that passes datagrams on unread."""

    def __init__(self):
        super().__init__("relay")
        BUILT.mkdir(exist_ok=True)
        self.program = BUILT / "relay"
        source = ROOT / "Tests" / "Bench" / "relay.c"
        # A Swift toolchain brings clang along.
        compilers = [shlex.split(one) for one in (os.environ.get("CC", ""), "cc", "gcc", "clang") if one]
        compiler = next((one for one in compilers if shutil.which(one[0])), None)
        if not compiler:
            raise Failed("the relay needs a C compiler, and there is none")
        # Beside its place first: another bench may be running the old one.
        fresh = BUILT / f"relay.{os.getpid()}"
        built = subprocess.run([*compiler, "-O2", "-Wall", "-o", str(fresh), str(source)], stderr=subprocess.PIPE, text=True)
        if built.returncode:
            raise Failed(f"the relay does not compile:\n{built.stderr}")
        fresh.replace(self.program)

    def command(self, port, callee_port):
        return [self.program, port, callee_port], None


class Callkeeper(Peer):
    """A build of callkeeper, with its defaults except that no number of dialogs is too many, and flags of its own."""

    def __init__(self, name, binary, flags):
        super().__init__(name)
        self.flags = flags
        self.binary = Path(binary).resolve()
        if not os.access(self.binary, os.X_OK):
            raise Failed(f"{self.binary}: no such program")

    def command(self, port, callee_port):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CALLKEEPER_")}
        return [self.binary, "run", "--listen", f"udp:127.0.0.1:{port}", "--control", self.folder / "ck.sock",
                "--max-dialogs", "0", *self.flags], environment

    def count(self):
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.sock.settimeout(10)
            connection.sock.connect(str(self.folder / "ck.sock"))
            connection.request("GET", "/dialogs/count")
            return json.loads(connection.getresponse().read())["active"]
        except (OSError, ValueError, KeyError):
            return None
        finally:
            connection.close()


class Kamailio(Peer):
    """Kamailio with dialog and sst, one worker for UDP, and as much memory as it likes."""

    def __init__(self):
        super().__init__("kamailio")
        try:
            self.program = Program("kamailio", "kamailio")
            self.modules = self.program.folder("usr/lib/*/kamailio/modules")
        except AssertionError as missing:
            raise Failed(str(missing)) from missing

    def command(self, port, callee_port):
        return [self.program.path, "-f", ROOT / "Tests" / "Bench" / "kamailio.cfg", "-L", self.modules,
                "-Y", self.folder, "-w", self.folder, "-DD", "-E", "-x", "fm", "-m", "4096", "-M", "16", "-n", "1",
                "-l", f"udp:127.0.0.1:{port}"], self.program.environment()

    def count(self):
        tool = self.program.path.with_name("kamcmd")
        if not tool.exists():
            return None
        try:
            answer = subprocess.run(
                [tool, "-s", f"unixs:{self.folder}/kamailio_ctl", "dlg.stats_active"], capture_output=True, text=True,
                timeout=10, env=self.program.environment())
        except subprocess.TimeoutExpired:
            return None
        numbers = dict(re.findall(r"(\w+): (\d+)", answer.stdout))
        return int(numbers["all"]) if "all" in numbers else None

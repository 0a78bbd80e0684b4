"""One peer on its ports, the generator in front of and behind it, and what both cost meanwhile."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from .peers import Failed
from .processes import Sampler, udp_drops
from .report import note


class Stand:
    """Starts a peer, runs the generator against it as often as a scenario likes, and takes all of it down."""

    def __init__(self, peer, generator, ports, options):
        self.peer, self.generator, self.options = peer, generator, options
        self.port, self.callee_port = ports.take(), ports.take()
        self.folder = Path(tempfile.mkdtemp(prefix="callkeeper-bench-"))

    def __enter__(self):
        try:
            self.peer.start(self.port, self.callee_port, self.folder)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.peer.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def generate(self, *options, on_second=None):
        """Runs the generator to its end and returns what it printed last; `on_second` gets the lines before."""
        command = [self.generator, "--proxy", f"127.0.0.1:{self.port}", "--callee", f"127.0.0.1:{self.callee_port}",
                   "--sources", self.options.sources, "--tick", self.options.tick, *options]
        found = None
        with open(self.folder / "load.log", "wb") as log, subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                text=True) as process:
            try:
                for line in process.stdout:
                    found = json.loads(line)
                    if on_second and "second" in found:
                        on_second(found)
                process.wait()
            finally:
                if process.poll() is None:
                    process.kill()
        # 0: every call went well; 1: some failed, as the figures say.
        if process.returncode not in (0, 1) or not found or "completed" not in found:
            raise Failed(f"load ended with {process.returncode}:\n{(self.folder / 'load.log').read_text()}")
        if not self.peer.process.is_running:
            raise Failed(f"{self.peer.name} ended during the run:\n{self.peer.process.tail()}")
        own = found["generator"]
        if own["slipped_ms"] > 100 or own["dropped"] or own["unsent"]:
            note(f"the generator did not keep up: {own['slipped_ms']} ms behind, {own['dropped'] + own['unsent']} "
                 "datagrams lost; a lower rate or a quieter machine is needed")
        return found

    def warm_up(self):
        """Calls that are not measured: the first ones fill caches and pools."""
        self.generate("--calls", 300, "--rate", 300, "--hold", 0.1)

    def cpu(self):
        return self.peer.process.cpu()

    def cpu_total(self):
        return self.cpu().total

    def pss(self):
        return self.peer.process.pss()

    def drops(self):
        return udp_drops(self.port)

    def sampling_pss(self):
        return Sampler(self.pss)

    def idle_cpu(self, seconds):
        """Milliseconds of processor time in a second without a single message."""
        before = self.cpu()
        time.sleep(seconds)
        return (self.cpu() - before).total / seconds * 1000


def cost(used, calls):
    """Processor time as microseconds for each call."""
    share = 1e6 / max(1, calls)
    # The kernel divides what it has sampled; the parts are scaled to the exact total.
    sampled = used.user + used.system
    user = used.total * (used.user / sampled if sampled else 0)
    return {"us_per_call": round(used.total * share, 2), "user_us_per_call": round(user * share, 2),
            "system_us_per_call": round((used.total - user) * share, 2) if sampled else 0.0}


def outcome(found):
    """What became of the calls, and how long their set-up took."""
    latency = {name: found[name] for name in ("ringing_us", "answered_us", "refreshed_us") if found[name]["count"]}
    return {"completed": found["completed"] + found["idle"]["completed"], "failed": found["failed"],
            "repeated": found["repeated"], "refusals": found["refusals"], **latency,
            "changed_intervals": found["oddities"]["changed_intervals"], "generator": found["generator"]}

"""The command line as a contract: exit codes, and one line that says what is wrong."""

import os
import subprocess

from harness.suite import expect, expect_equal, scenario


def run(stage, *arguments, environment=None):
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("CALLKEEPER_")}, **(environment or {})}
    return subprocess.run([stage.binary, *arguments], capture_output=True, text=True, timeout=15, env=environment)


@scenario("a flag out of range is refused with 78, its name, its value and what is legal")
def ranges(stage):
    """A6, A8: never a proxy that breaks RFC 4028 by configuration."""
    for flags, words in (
        (["--min-se", "60"], ["min-se", "60", "90"]),
        (["--session-expires", "300", "--min-se", "600"], ["session-expires", "300", "600"]),
        (["--listen", "udp:127.0.0.1:99999"], ["listen", "99999"]),
        (["--listen", "tcp:127.0.0.1:5060"], ["tcp"]),
        (["--listen", "tls:127.0.0.1:5061"], ["tls"]),
    ):
        result = run(stage, "check", *flags)
        expect_equal(result.returncode, 78, f"exit code of check {' '.join(flags)}: {result.stderr}")
        for word in words:
            expect(word in result.stderr, f"{word!r} in {result.stderr!r}")
        result = run(stage, "run", *flags)
        expect_equal(result.returncode, 78, f"exit code of run {' '.join(flags)}: {result.stderr}")


@scenario("an interval below the recommendation is accepted with a warning")
def warned(stage):
    """A7: not silently."""
    result = run(stage, "check", "--listen", f"udp:127.0.0.1:{stage.port()}", "--session-expires", "600")
    expect_equal(result.returncode, 0, f"exit code: {result.stderr}")
    expect("1800" in result.stderr + result.stdout, "the warning names the recommended minimum")


@scenario("an unknown flag is a usage error, a missing proxy is 69, version prints one")
def codes(stage):
    expect_equal(run(stage, "run", "--min-see", "90").returncode, 64, "an unknown flag")
    missing = run(stage, "count", "--control", str(stage.scratch / "none.sock"))
    expect_equal(missing.returncode, 69, f"count without a proxy: {missing.stderr}")
    expect_equal(missing.stdout, "", "nothing on standard output")
    version = run(stage, "version")
    expect_equal(version.returncode, 0, "version")
    expect(version.stdout.strip() != "", "version prints something")


@scenario("environment and configuration file stand behind the flag")
def sources(stage):
    """Flag over environment over file over default, seen in the 422 boundary that check reports."""
    file = stage.scratch / "callkeeper.conf"
    file.write_text("min-se = 60\n")
    listen = ["--listen", f"udp:127.0.0.1:{stage.port()}"]
    expect_equal(run(stage, "check", *listen, "--config", str(file)).returncode, 78, "a file out of range")
    result = run(stage, "check", *listen, "--config", str(file), environment={"CALLKEEPER_MIN_SE": "120"})
    expect_equal(result.returncode, 0, f"the environment wins over the file: {result.stderr}")
    result = run(stage, "check", *listen, "--min-se", "95", environment={"CALLKEEPER_MIN_SE": "60"})
    expect_equal(result.returncode, 0, f"the flag wins over the environment: {result.stderr}")


@scenario("check tells every mistake in a line of its own, and what run would open")
def checked(stage):
    """As run would: an address named twice, a folder that is missing, an address others can reach."""
    listen = f"udp:127.0.0.1:{stage.port()}"
    result = run(stage, "check", "--listen", listen, "--listen", listen, "--http", "0.0.0.0:0",
                 "--control", str(stage.scratch / "no" / "folder.sock"))
    lines = result.stderr.splitlines()
    expect_equal(len(lines), 3, f"lines of {result.stderr!r}")
    for word in ("--http-public", listen, "folder.sock"):
        expect(any(word in line for line in lines), f"{word!r} in {result.stderr!r}")
    result = run(stage, "check", "--min-se", "1", "--t1", "1", "--max-dialogs", "-1")
    expect_equal((result.returncode, len(result.stderr.splitlines())), (78, 3), f"three mistakes: {result.stderr!r}")
    path = stage.scratch / "run.sock"
    result = run(stage, "check", "--listen", listen, "--control", str(path))
    expect_equal(result.returncode, 0, f"nothing in the way: {result.stderr}")
    expect(listen in result.stdout and str(path) in result.stdout, f"both sockets in {result.stdout!r}")
    expect(not path.exists(), "nothing is left behind")


@scenario("an answer that cannot be written is 74, and closed descriptors stay closed to sockets")
def unwritten(stage):
    with open("/dev/full", "w") as full:
        result = subprocess.run([stage.binary, "version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=15)
    expect_equal(result.returncode, 74, f"version on a full device: {result.stderr}")
    result = subprocess.run(["sh", "-c", '"$0" version >&-', stage.binary], stderr=subprocess.PIPE, timeout=15)
    expect_equal(result.returncode, 74, "version with standard output closed")

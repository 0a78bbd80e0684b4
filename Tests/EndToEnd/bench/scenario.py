"""Scripts/bench measures what it says it measures; how fast anything is, is no test."""

import json
import subprocess
import sys
from pathlib import Path

from harness.suite import expect, expect_equal, scenario

ROOT = Path(__file__).resolve().parents[3]


def bench(*arguments):
    return subprocess.run(
        [sys.executable, "-B", str(ROOT / "Scripts" / "bench"), *map(str, arguments)], capture_output=True, text=True,
        timeout=60)


@scenario("bench makes its calls through relay and proxy and writes what they cost")
def calls(stage):
    generator = stage.binary.with_name("load")
    expect(generator.exists(), f"{generator}: build it with swift build -c release --product load")
    file = stage.scratch / "bench.json"
    result = bench(
        "calls", "--calls", 50, "--rate", 100, "--hold", 0.2, "--settle", 0.2, "--idle", 0.2, "--peer", "relay",
        "--peer", "callkeeper", "--binary", f"own={stage.binary}", "--generator", generator, "--json", file)
    expect_equal(result.returncode, 0, f"exit code: {result.stderr}")
    found = json.loads(file.read_text())
    expect_equal(found["scenario"], "calls", "scenario")
    expect_equal([run["peer"] for run in found["runs"]], ["relay", "own"], "peers in their order")
    for run in found["runs"]:
        expect_equal((run["completed"], run["failed"], run["refusals"]), (50, 0, {}), f"calls through {run['peer']}")
        expect_equal((run["ringing_us"]["count"], run["answered_us"]["count"]), (50, 50), "calls that were measured")
        for name in ("us_per_call", "us_per_message", "pss_peak_kib", "pss_end_kib"):
            expect(run[name] > 0, f"{name} of {run['peer']}: {run[name]}")
        expect(run["answered_us"]["p50"] <= run["answered_us"]["p99"] <= run["answered_us"]["max"], "percentiles rise")
    for name in ("processor", "cores", "kernel"):
        expect(found["machine"][name], f"the machine's {name}")
    expect_equal(found["options"]["calls"], 50, "options")
    rows = {row["name"]: row for row in found["summary"]}
    expect(rows["own"]["ratios"]["relay"] > 0, "the ratio to the relay")
    lines = result.stdout.splitlines()
    expect_equal(len(lines), 4, f"lines of the table {result.stdout!r}")
    for line, word in zip(lines, ("us/call", "---", "relay", "own")):
        expect(word in line, f"{word!r} in {line!r}")


@scenario("the load generator loses no call with a datagram, and counts what it sent again")
def generator(stage):
    """RFC 3261 section 17.1: whatever got no answer is repeated, and so is a 2xx without its ACK (section 13.3.1.4)."""
    proxy = stage.proxy()
    lossy = stage.relay(proxy.address, loss=0.2, seed=7)
    result = subprocess.run(
        [str(stage.binary.with_name("load")), "--proxy", "127.0.0.1:%d" % lossy.address[1], "--idle", "10", "--calls",
         "30", "--rate", "30", "--hold", "0.6", "--refreshes", "2", "--probe-rate", "5", "--intervals", "90,1800"],
        capture_output=True, text=True, timeout=90)
    expect_equal(result.returncode, 0, f"exit code: {result.stderr}{result.stdout}")
    found = json.loads(result.stdout)
    for name, count in (("idle", 10), ("calls", 30)):
        expect_equal((found[name]["completed"], found[name]["failed"]), (count, 0), name)
    expect_equal((found["failed"], found["refreshes"]), (0, 60), "failed calls and refreshes")
    expect(found["probes"]["completed"] > 0, "probes")
    for request in ("invite", "update", "bye", "answer"):
        expect(found["repeats"][request] > 0, f"no {request} repeated, with {lossy.lost} datagrams lost")
    expect_equal(found["repeated"], sum(found["repeats"].values()), "repeated, of every kind")
    expect_equal(found["oddities"]["requests_to_caller"], 0, "requests of the proxy's own")
    expect_equal(proxy.count(), 10, "dialogs that stay")


@scenario("a mistake on bench's command line is one line and 64")
def mistakes(stage):
    for arguments, word in (
        (["call"], "call"),
        (["calls", "--rate", "none"], "none"),
        (["flat", "--levels", "3,2"], "3,2"),
        (["calls", "--binary", "callkeeper"], "NAME=PATH"),
        (["calls", "--intervals", "30"], "30"),
        (["calls", "--json", "/nowhere/at/all.json"], "/nowhere/at"),
        (["calls", "--fast"], "--fast"),
        ([], "scenario"),
    ):
        result = bench(*arguments)
        expect_equal(result.returncode, 64, f"exit code of bench {arguments}: {result.stderr}")
        expect_equal(len(result.stderr.splitlines()), 1, f"lines of {result.stderr!r}")
        expect(word in result.stderr, f"{word!r} in {result.stderr!r}")
        expect_equal(result.stdout, "", "nothing on standard output")

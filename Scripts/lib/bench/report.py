"""Tables for people and JSON for machines: every figure as the median of the repeats, with its spread."""

import os
import platform
import statistics
import subprocess
import sys
import time

from .peers import ROOT

COLUMNS = {
    "calls": [("us/call", "us_per_call"), ("user", "user_us_per_call"), ("system", "system_us_per_call"),
              ("us/message", "us_per_message"), ("peak PSS MiB", "pss_peak_kib"), ("180 p50 us", "ringing_us.p50"),
              ("180 p99 us", "ringing_us.p99"), ("idle ms/s", "idle_ms_per_s")],
    "hold": [("us/dialog", "us_per_call"), ("user", "user_us_per_call"), ("system", "system_us_per_call"),
             ("held", "held"), ("bytes/dialog", "bytes_per_dialog"), ("PSS MiB", "pss_end_kib"),
             ("peak PSS MiB", "pss_peak_kib"), ("idle ms/s", "idle_ms_per_s")],
    "flat": [("us/call", "us_per_call"), ("to first", "ratio_to_first"), ("ramp us/dialog", "ramp.us_per_call"),
             ("bytes/dialog", "bytes_per_dialog"), ("PSS MiB", "pss_kib"), ("180 p50 us", "ringing_us.p50"),
             ("180 p99 us", "ringing_us.p99"), ("idle ms/s", "idle_ms_per_s")],
    "storm": [("held", "held"), ("first gone s", "first_gone_after_s"), ("all gone s", "all_gone_after_s"),
              ("left", "left"), ("us/expired", "us_per_expired"), ("+-", "us_per_expired_stray"),
              ("before p99", "windows.before.p99"),
              ("during p99", "windows.during.p99"), ("after p99", "windows.after.p99"),
              ("PSS MiB start", "pss_start_kib"), ("peak", "pss_peak_kib"), ("end", "pss_end_kib")],
}
COLUMNS["refresh"] = COLUMNS["calls"]


def note(text):
    """A line for whoever waits; figures go to standard output."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def machine():
    """What the figures were taken on."""
    model = ""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
        model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {"processor": model or platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "load_average": round(os.getloadavg()[0], 2), "commit": commit.stdout.strip() or None,
            "date": time.strftime("%Y-%m-%d %H:%M:%S %z")}


def value_at(run, path):
    """The figure that `a.b` names; None when the run has none."""
    for name in path.split("."):
        run = run.get(name) if isinstance(run, dict) else None
    return run if isinstance(run, (int, float)) else None


def rows_of(scenario, runs):
    """The runs by row of the table: by peer, and in `flat` by peer and number of idle dialogs."""
    rows = {}
    for run in runs:
        for part in run["levels"] if scenario == "flat" else [run]:
            name = f'{run["peer"]} + {part["dialogs"]}' if scenario == "flat" else run["peer"]
            rows.setdefault(name, []).append(part)
    return rows


def summarize(scenario, runs):
    """Median, minimum and maximum of every column, and the ratios between peers."""
    summary = []
    for name, parts in rows_of(scenario, runs).items():
        row = {"name": name, "runs": len(parts)}
        for count in ("completed", "failed", "repeated"):
            row[count] = sum(part[count] for part in parts)
        for _, path in COLUMNS[scenario]:
            values = [value for value in (value_at(part, path) for part in parts) if value is not None]
            if values:
                row[path] = {"median": round(statistics.median(values), 3), "min": min(values), "max": max(values)}
        summary.append(row)
    cost = {row["name"]: row["us_per_call"]["median"] for row in summary if "us_per_call" in row}
    for row in summary:
        row["ratios"] = {other: round(cost[row["name"]] / cost[other], 3) for other in ("relay", "kamailio")
                         if row["name"] in cost and cost.get(other) and other != row["name"]}
    return summary


def cell(row, path):
    if path not in row:
        return "-"
    figure = row[path]
    scale = 1024 if path.endswith("_kib") else 1
    texts = [f"{figure[key] / scale:.4g}" if figure[key] / scale < 1000 else f"{figure[key] / scale:.0f}"
             for key in ("median", "min", "max")]
    return texts[0] if texts[1] == texts[2] else f"{texts[0]} [{texts[1]}-{texts[2]}]"


def table(scenario, summary):
    """A Markdown table, ready for Docs/PERFORMANCE.md."""
    columns = COLUMNS[scenario]
    ratios = [other for other in ("relay", "kamailio") if any(other in row["ratios"] for row in summary)]
    heads = ["peer", "runs", "ok", "failed", "repeated", *(head for head, _ in columns), *(f"x {one}" for one in ratios)]
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for row in summary:
        cells = [row["name"], row["runs"], row["completed"], row["failed"], row["repeated"],
                 *(cell(row, path) for _, path in columns), *(row["ratios"].get(one, "-") for one in ratios)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)

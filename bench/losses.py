"""`understudy bench losses`: the chunked closed-form loss beside the plain one on the same machine.

Both take hidden states, a head, a teacher's top 20 and weights, and end with the gradients of hidden states and
head; each runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from bench.options import finish, parser

METHODS = ("closed form", "plain")


def run_one(method: str, tokens: int, vocabulary: int, width: int, repeats: int) -> dict[str, float]:
    """Seconds a pass and MiB of peak memory above the inputs, in this process."""
    import torch

    from online_distill.losses.buckets import student_buckets, teacher_buckets
    from online_distill.losses.coarse import coarse_loss
    from online_distill.losses.divergences import divergence

    torch.manual_seed(0)
    torch.set_num_threads(1)
    hidden = torch.randn(tokens, width, requires_grad=True)
    head = (torch.randn(vocabulary, width) * 0.1).requires_grad_(True)
    ids = torch.randint(0, vocabulary // 20, (tokens, 20)) + torch.arange(20) * (vocabulary // 20)
    teacher = teacher_buckets(torch.log_softmax(torch.randn(tokens, 21), -1)[:, :20])
    weights = torch.ones(tokens)
    before = psutil.Process().memory_info().rss / 1024
    seconds, value = [], 0.0
    for _ in range(repeats):
        began = time.monotonic()
        if method == "plain":
            loss = (divergence(teacher, student_buckets(hidden @ head.T, ids), "forward") * weights).sum()
        else:
            loss, _ = coarse_loss(hidden, head, ids, teacher, weights)
        loss.backward()
        seconds.append(time.monotonic() - began)
        value = float(loss.detach()) / tokens
        hidden.grad = head.grad = None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    best = min(seconds)
    return {"seconds": best, "tokens_per_second": tokens / best, "mib": (peak - before) / 1024, "nats": value}


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table(title="{tokens} tokens x {vocabulary} entries, width {width}, one thread".format(**report["size"]))
    for column in ("method", "tokens/s", "memory, MiB", "loss, nats"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for method in METHODS:
        found = report[method]
        table.add_row(method, f"{found['tokens_per_second']:.0f}", f"{found['mib']:.0f}", f"{found['nats']:.5f}")
    Console().print(table)


def main(argv: list[str]) -> int:
    """Entry point."""
    made = parser("losses", __doc__, "a quarter of the tokens")
    made.add_argument("--tokens", type=int, default=4096)
    made.add_argument("--vocabulary", type=int, default=32_000)
    made.add_argument("--width", type=int, default=256)
    made.add_argument("--repeats", type=int, default=3)
    made.add_argument("--one", choices=METHODS, help=argparse.SUPPRESS)
    options = made.parse_args(argv)
    if options.quick:
        options.tokens //= 4
    size = {"tokens": options.tokens, "vocabulary": options.vocabulary, "width": options.width}
    if options.one:
        print(json.dumps(run_one(options.one, **size, repeats=options.repeats)))
        return 0
    report: dict[str, Any] = {"size": size}
    for method in METHODS:
        shared = [f"--{name}={value}" for name, value in size.items()]
        command = [sys.executable, "-m", "bench.losses", "--one", method, *shared, f"--repeats={options.repeats}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        report[method] = json.loads(done.stdout.splitlines()[-1])
    return finish(options, report, show)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

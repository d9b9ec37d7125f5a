"""How the peers that are Python measure: as bench/peers/peer.ts does, but bytes by resident size."""
import gc
import json
import os
import statistics
import sys
import time

BLOCKED = 50000
LONG_ENOUGH = 0.2


def resident():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def seconds(work, n):
    start = time.perf_counter()
    work(n)
    return time.perf_counter() - start


def take_rate(work):
    n = 1000
    taken = 0
    while taken < LONG_ENOUGH:
        n *= 2
        taken = seconds(work, n)
    return [n / statistics.median(seconds(work, n) for _ in range(3))]


def take_block(block):
    block(BLOCKED // 5)
    before = resident()
    start = time.perf_counter()
    kept = block(BLOCKED)
    taken = time.perf_counter() - start
    after = resident()
    print(json.dumps([taken * 1e6 / BLOCKED, (after - before) / BLOCKED]), flush=True)
    # Ending so many takes longer than all the rest.
    os._exit(0 if kept is not None else 1)


def main(**works):
    work = sys.argv[1]
    if work == "block":
        take_block(works[work])
    print(json.dumps(take_rate(works[work])))

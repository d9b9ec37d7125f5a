"""What native Stackless takes to pickle 1,000 tasklets of depth 10: microseconds to dump and to load each, and bytes each."""
import gc
import json
import pickle
import statistics
import time

import stackless

SMALL = 1000


def pausing(n):
    if n > 1:
        pausing(n - 1)
    else:
        stackless.schedule_remove()


def deep(n):
    t = stackless.tasklet(pausing)(n)
    stackless.run()
    return t


def seconds(work):
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


tasklets = [deep(10) for _ in range(SMALL)]
dumped = pickle.dumps(tasklets, pickle.HIGHEST_PROTOCOL)
dumping = statistics.median(seconds(lambda: pickle.dumps(tasklets, pickle.HIGHEST_PROTOCOL)) for _ in range(9))
loading = statistics.median(seconds(lambda: pickle.loads(dumped)) for _ in range(9))
print(json.dumps([dumping / SMALL * 1e6, loading / SMALL * 1e6, len(dumped) / SMALL]))

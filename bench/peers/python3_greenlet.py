"""greenlet, on CPython."""
from greenlet import getcurrent, greenlet

import peer


def switching(n):
    def a():
        for _ in range(n // 2):
            other.switch()

    def b():
        while True:
            first.switch()

    first = greenlet(a)
    other = greenlet(b)
    first.switch()


def blocking(n):
    main = getcurrent()

    def waiting():
        main.switch()

    blocked = [greenlet(waiting) for _ in range(n)]
    for g in blocked:
        g.switch()
    return blocked


peer.main(switch=switching, block=blocking)

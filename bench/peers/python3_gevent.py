"""gevent, on CPython: its Channel is a rendezvous."""
import gevent
from gevent.queue import Channel

import peer


def scheduling(n):
    def body():
        for _ in range(n // 2):
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(body), gevent.spawn(body)])


def one_to_one(n):
    channel = Channel()

    def sending():
        for i in range(n):
            channel.put(i)

    def receiving():
        total = 0
        for _ in range(n):
            total ^= channel.get()

    gevent.joinall([gevent.spawn(receiving), gevent.spawn(sending)])


def blocking(n):
    channel = Channel()
    blocked = [gevent.spawn(channel.get) for _ in range(n)]
    gevent.sleep(0)
    return blocked


peer.main(schedule=scheduling, channel=one_to_one, block=blocking)

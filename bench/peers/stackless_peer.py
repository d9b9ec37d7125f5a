"""The module stackless: of native Stackless Python, and of PyPy, which emulates it on its continulets."""
import stackless

import peer


def scheduling(n):
    def body():
        for _ in range(n // 2):
            stackless.schedule()

    stackless.tasklet(body)()
    stackless.tasklet(body)()
    stackless.run()


def one_to_one(n):
    channel = stackless.channel()

    def sending():
        for i in range(n):
            channel.send(i)

    def receiving():
        total = 0
        for _ in range(n):
            total ^= channel.receive()

    stackless.tasklet(receiving)()
    stackless.tasklet(sending)()
    stackless.run()


def blocking(n):
    channel = stackless.channel()
    blocked = [stackless.tasklet(channel.receive)() for _ in range(n)]
    stackless.run()
    return blocked


peer.main(schedule=scheduling, channel=one_to_one, block=blocking)

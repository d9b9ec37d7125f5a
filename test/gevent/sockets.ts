/** Sockets on 127.0.0.1 for tests. */
import * as gevent from "effect-stackless/compat/gevent"
import type { Steps } from "./program.ts"

/** An address of this machine, with any port that is free. */
export const local = ["127.0.0.1", 0] as const

/** A socket that listens. */
export function* listener(): Steps<gevent.Socket> {
  const socket = new gevent.Socket()
  socket.bind(local)
  yield* socket.listen()
  return socket
}

/** Two sockets that are connected with each other. */
export function* pair(): Steps<[gevent.Socket, gevent.Socket]> {
  const listening = yield* listener()
  const here = yield* gevent.createConnection(listening.getsockname())
  const [there] = yield* listening.accept()
  listening.close()
  return [here, there]
}

/** What people see of gevent's objects: what upstream prints, and not what they are made of. */
import {
  AsyncResult,
  BoundedSemaphore,
  Event,
  Group,
  LifoQueue,
  Pool,
  Queue,
  RLock,
  Semaphore,
  StreamServer,
  Waiter
} from "effect-stackless/compat/gevent"
import { inspect } from "node:util"
import { expect, test } from "vitest"

test.each([
  [() => new Queue(3), "<Queue qsize=0 maxsize=3>"],
  [() => new LifoQueue(), "<LifoQueue qsize=0>"],
  [() => new Event(), "<Event clear _links[0]>"],
  [() => new AsyncResult(), "<AsyncResult unset _links[0]>"],
  [() => new Semaphore(2), "<Semaphore counter=2 _links[0]>"],
  [() => new BoundedSemaphore(1), "<BoundedSemaphore counter=1 _links[0]>"],
  [() => new RLock(), "<RLock count=0>"],
  [() => new Pool(2), "<Pool of 0>"],
  [() => new Group(), "<Group of 0>"],
  [() => new Waiter(), expect.stringMatching(/^<Waiter/)],
  [
    () => new StreamServer(["127.0.0.1", 0], function* echo() {}),
    expect.stringMatching(/^<StreamServer address=127.0.0.1:0/)
  ]
])("%s is printed, and written as JSON, as its toString", (make, text) => {
  const value = make()
  expect([String(value), inspect(value), JSON.parse(JSON.stringify(value))]).toEqual([text, text, text])
  expect(Object.keys(value)).not.toContain("toJSON")
})

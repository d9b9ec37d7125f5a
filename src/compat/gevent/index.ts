/**
 * gevent's API on greenlets: a hub, and everything that waits in it.
 *
 * Everything has its upstream name, without the module it is in there, which the groups below name.
 *
 * @since 0.1.0
 */
// gevent
export {
  call,
  developmentMode,
  type DevelopmentOptions,
  GreenletExit,
  type ReportForgotten,
  rethrow
} from "../../greenlet/index.ts"
export { type Config, config } from "./core/config.ts"
export { getcurrent, Greenlet, joinall, kill, killall, spawn, spawnLater, spawnRaw } from "./core/greenlet.ts"
export type { JoinallOptions, KillOptions, Spawn, SpawnLater, SpawnRaw } from "./core/greenlet.ts"
export { idle, sleep, type SleepOptions } from "./core/sleep.ts"
export { type Limit, Timeout, withTimeout, type WithTimeoutOptions } from "./core/timeout.ts"
export { iwait, wait, type Waitable, WaitIterator, type WaitOptions } from "./core/wait.ts"
// gevent.hub
export { type ExceptionStream, gethub, Hub, RawGreenlet, type Watcher } from "./core/hub.ts"
export type { Callback, Idle, Timer, Turn } from "./core/loop.ts"
export { Waiter } from "./core/waiter.ts"
// gevent.exceptions, and Python's
export { ValueError } from "../../greenlet/index.ts"
export {
  AssertionError,
  type Blocked,
  BlockingSwitchOutError,
  ConcurrentObjectUseError,
  InvalidSwitchError,
  InvalidThreadUseError,
  LoopExit,
  RuntimeError
} from "./core/exceptions.ts"
// gevent.event
export type { AbstractLinkable, LinkFunction } from "./core/linkable.ts"
export { AsyncResult, Event, type GetOptions, type Source } from "./sync/event.ts"
// gevent.queue
export {
  Channel,
  Empty,
  Full,
  JoinableQueue,
  LifoQueue,
  PriorityQueue,
  Queue,
  type QueueOptions,
  ShutDown,
  SimpleQueue,
  StopIteration
} from "./sync/queue.ts"
// gevent.lock
export { type AcquireOptions, BoundedSemaphore, DummySemaphore, RLock, Semaphore } from "./sync/lock.ts"
// gevent.pool
export { IMap, IMapUnordered, type Items } from "./sync/imap.ts"
export { type GreenletClass, Group, type GroupJoinOptions, type ImapOptions, Pool, PoolFull } from "./sync/pool.ts"
// gevent.local
export { Local, type LocalConstructor } from "./core/local.ts"
// gevent.socket
export { DatagramSocket } from "./net/datagram.ts"
export type { Address } from "./net/listen.ts"
export { type ReadableFile, SocketFile } from "./net/makefile.ts"
export { createConnection, type Data, type How, Socket } from "./net/socket.ts"
export { SocketError, SocketTimeout } from "./net/socketerror.ts"
export { socketpair } from "./net/socketpair.ts"
// gevent.select, and Python's
export {
  KeyError,
  Poll,
  poll,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  select,
  type Selectable,
  waitRead,
  waitReadwrite,
  waitWrite
} from "./net/select.ts"
// gevent.server
export {
  BaseServer,
  DatagramServer,
  type Handle,
  type Listener,
  type ListeningServer,
  type ListeningServerOptions,
  type ServerOptions,
  type SpawnWith,
  StreamServer,
  type StreamServerOptions
} from "./net/server.ts"
// gevent.pywsgi
export {
  type Application,
  type Environ,
  type Input,
  type Log,
  type Parts,
  type StartResponse,
  WSGIServer,
  type WSGIServerOptions
} from "./net/pywsgi.ts"
// gevent.subprocess
export { ReadPipe, type TextOptions, WritePipe } from "./os/pipe.ts"
export {
  CalledProcessError,
  callProcess,
  checkCall,
  checkOutput,
  type Command,
  CompletedProcess,
  DEVNULL,
  getoutput,
  getstatusoutput,
  PIPE,
  Popen,
  type PopenOptions,
  run,
  type RunOptions,
  type RunToEndOptions,
  STDOUT,
  type Stream,
  SubprocessError,
  TimeoutExpired
} from "./os/subprocess.ts"
// gevent.signal
export { SignalHandler, signalHandler } from "./os/signal.ts"
// gevent.threadpool
export {
  type ShutdownOptions,
  type Task,
  ThreadEnded,
  ThreadPool,
  ThreadPoolExecutor,
  type ThreadPoolOptions
} from "./os/threadpool.ts"

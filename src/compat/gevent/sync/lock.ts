/**
 * Semaphores and locks. Carries `gevent.lock`.
 *
 * What Python writes as `with lock:` is `lock.within(function*() { … })`.
 */
import type * as Effect from "effect/Effect"
import {
  BEGIN,
  call,
  CallRoutine,
  getcurrent,
  type Microthread,
  type Mode,
  Operation,
  type Plain,
  Routine,
  THROW,
  ValueError
} from "../../../greenlet/index.ts"
import { RuntimeError } from "../core/exceptions.ts"
import { describe, HubOperation, requireNoTasklet, Waits } from "../core/hub.ts"
import { AbstractLinkable, LinkWait } from "../core/linkable.ts"
import { printed } from "../core/printed.ts"
import type { Block, Limit } from "../core/timeout.ts"

/** How to acquire. */
export interface AcquireOptions {
  /** Wait for it? */
  readonly blocking?: boolean
  /** How long to wait for it, in seconds. */
  readonly timeout?: Limit
}

/** `acquire(false)` is short for `acquire({ blocking: false })`. */
const optionsOf = (options: AcquireOptions | boolean | undefined): AcquireOptions | undefined =>
  typeof options === "boolean" ? { blocking: options } : options

interface Lock {
  acquire(): Operation<boolean | 1>
  release(): unknown
}

/** A block inside of a lock. */
class Holding extends Routine {
  private readonly lock: Lock
  private readonly block: Block<any, any>
  constructor(lock: Lock, block: Block<any, any>) {
    super()
    this.lock = lock
    this.block = block
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    const { lock } = this
    if (this.pc === BEGIN) return this.at(ACQUIRING, lock.acquire())
    if (this.pc === ACQUIRING) {
      if (mode === THROW) throw value
      return this.at(HOLDING, this.call())
    }
    lock.release()
    if (mode === THROW) throw value
    return this.ends(value)
  }
  private call(): Operation<unknown> {
    try {
      return call(this.block)
    } catch (error) {
      this.lock.release()
      throw error
    }
  }
}

const ACQUIRING = 2
const HOLDING = 4

/** Runs a block that holds a lock. */
interface Within {
  <Eff extends Effect.Effect<any, any, any>, A>(
    block: () => Generator<Eff, A, never>
  ): Operation<A, Effect.Error<Eff>, call.Services<Eff>>
  <A, E, R>(block: () => Effect.Effect<A, E, R>): Operation<A, E, call.Services<Effect.Effect<A, E, R>>>
  <A>(block: () => Plain<A>): Operation<A>
}

/**
 * A counter that `acquire` counts down, waiting while it is 0, and `release` counts up. Who waits is served in turn.
 * Mirrors `gevent.lock.Semaphore`.
 *
 * @category models
 * @since 0.1.0
 */
export class Semaphore extends AbstractLinkable {
  protected override readonly notifyAll: boolean = false
  private count: number

  /** @param value where the counter starts: not below 0, else this throws `ValueError` */
  constructor(value = 1) {
    super()
    if (!(value >= 0)) throw new ValueError("semaphore initial value must be >= 0")
    this.count = value
  }

  /** How often it can be acquired before somebody waits. */
  get counter(): number {
    return this.count
  }

  /** Would `acquire` wait? */
  locked(): boolean {
    return this.count <= 0
  }

  override ready(): boolean {
    return this.count > 0
  }

  /** Counts up, and wakes who waits; returns the counter. Mirrors `Semaphore.release`. */
  release(): number {
    this.count++
    this.checkAndNotify()
    return this.count
  }

  /**
   * Counts down, waiting if need be; gives back `false` if it does not wait or time is over. Mirrors
   * `Semaphore.acquire`.
   */
  acquire(options?: AcquireOptions | boolean): Operation<boolean> {
    return new Acquire(this, optionsOf(options))
  }

  /** Waits until it could be acquired, without doing so; gives back the counter. Mirrors `Semaphore.wait`. */
  wait(timeout?: Limit): Operation<number> {
    return new Waits((current) =>
      this.count > 0 ? current.give(this.count) : new WaitForSemaphore(this, current).waits(timeout)
    )
  }

  /** Runs a block that holds it. Mirrors `with semaphore:`. */
  readonly within: Within = (block: Block<any, any>): any => new CallRoutine(() => new Holding(this, block))

  /** @internal acquires if that can be done at once */
  tryAcquire(): boolean {
    if (this.count <= 0) return false
    this.count--
    return true
  }

  /** @internal waits until that can be done */
  acquiring(current: Microthread, timeout: Limit): Microthread {
    return new AcquireSemaphore(this, current).waits(timeout)
  }

  /** @internal */
  countDown(): void {
    this.count--
  }

  override toString(): string {
    return `<${this.constructor.name} counter=${this.count} _links[${this.linkcount()}]>`
  }
}

class Acquire extends HubOperation<boolean> {
  readonly semaphore: Semaphore
  readonly options: AcquireOptions | undefined
  constructor(semaphore: Semaphore, options: AcquireOptions | undefined) {
    super()
    this.semaphore = semaphore
    this.options = options
  }
  perform(current: Microthread): Microthread {
    const { options, semaphore } = this
    if (semaphore.tryAcquire()) return current.give(true)
    if (options?.blocking === false) return current.give(false)
    requireNoTasklet(current)
    return semaphore.acquiring(current, options?.timeout)
  }
}

class AcquireSemaphore extends LinkWait<Semaphore, boolean> {
  protected told(): boolean {
    this.source.countDown()
    return true
  }
  protected override timedOut(): boolean {
    return false
  }
}

class WaitForSemaphore extends LinkWait<Semaphore, number> {
  protected told(): number {
    return this.source.counter
  }
  protected override timedOut(): number {
    return this.source.counter
  }
}

/**
 * A semaphore that must not be released more often than it was acquired: that throws `ValueError`. Mirrors
 * `gevent.lock.BoundedSemaphore`.
 *
 * @category models
 * @since 0.1.0
 */
export class BoundedSemaphore extends Semaphore {
  private readonly initial: number

  constructor(value = 1) {
    super(value)
    this.initial = value
  }

  override release(): number {
    if (this.counter >= this.initial) throw new ValueError("Semaphore released too many times")
    return super.release()
  }
}

/**
 * A semaphore that never makes anybody wait. Mirrors `gevent.lock.DummySemaphore`.
 *
 * @category models
 * @since 0.1.0
 */
export class DummySemaphore {
  locked(): boolean {
    return false
  }
  ready(): boolean {
    return true
  }
  release(): void {}
  rawlink(_callback: unknown): void {}
  unlink(_callback: unknown): void {}
  wait(_timeout?: Limit): Operation<number> {
    return new Given(1)
  }
  acquire(_options?: AcquireOptions | boolean): Operation<boolean> {
    return new Given(true)
  }
  /** @internal */
  tryAcquire(): boolean {
    return true
  }
  readonly within: Within = (block: Block<any, any>): any => call(block)
}

/** An operation that has its value at once. */
class Given<A> extends Operation<A> {
  readonly given: A
  constructor(given: A) {
    super()
    this.given = given
  }
  perform(current: Microthread): Microthread {
    return current.give(this.given)
  }
}

/**
 * A lock that its owner, the greenlet that holds it, may acquire again. Mirrors `gevent.lock.RLock`.
 *
 * @category models
 * @since 0.1.0
 */
export class RLock {
  static {
    printed(this)
  }
  private readonly block = new Semaphore(1)
  private owner: Microthread | undefined = undefined
  private count = 0

  /** Is it held by anybody? */
  locked(): boolean {
    return this.block.locked()
  }

  /**
   * Acquires it, waiting if another greenlet holds it; gives back `false` as `Semaphore.acquire` does, and upstream's 1
   * where the current greenlet holds it already.
   */
  acquire(options?: AcquireOptions | boolean): Operation<boolean | 1> {
    return new Waits((current) => this.acquiring(current, optionsOf(options)))
  }

  private acquiring(current: Microthread, options: AcquireOptions | undefined): Microthread {
    if (this.owner === current) {
      this.count++
      return current.give(1)
    }
    const { block } = this
    if (block.tryAcquire()) this.heldBy(current)
    else if (options?.blocking !== false) return new AcquireRLock(this, block, current).waits(options?.timeout)
    return current.give(this.owner === current)
  }

  /** @internal it is held by `owner` from now on */
  heldBy(owner: Microthread): void {
    this.owner = owner
    this.count = 1
  }

  /**
   * Gives it back; it is free when it was released as often as acquired. Throws `RuntimeError` if the current greenlet
   * does not hold it.
   */
  release(): void {
    const me = getcurrent()
    if (this.owner !== me) {
      throw new RuntimeError(
        `cannot release un-acquired lock. Owner: ${this.owner ? describe(this.owner) : "none"} Current: ${describe(me)}`
      )
    }
    if (--this.count > 0) return
    this.owner = undefined
    this.block.release()
  }

  /** Runs a block that holds it. Mirrors `with lock:`. */
  readonly within: Within = (block: Block<any, any>): any => new CallRoutine(() => new Holding(this, block))

  toString(): string {
    return `<RLock count=${this.count}${this.owner === undefined ? "" : ` owner=${describe(this.owner)}`}>`
  }
}

class AcquireRLock extends AcquireSemaphore {
  private readonly lock: RLock
  constructor(lock: RLock, block: Semaphore, greenlet: Microthread) {
    super(block, greenlet)
    this.lock = lock
  }
  protected override told(): boolean {
    this.lock.heldBy(this.greenlet)
    return super.told()
  }
}

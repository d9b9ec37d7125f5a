/**
 * The policy: who runs when a microthread ends, waits, is interrupted or is orphaned.
 *
 * The loop knows none of it, and asks. A microthread answers by itself, as its class says: a greenlet with its parent, a
 * tasklet with its scheduler's ring. Of a main greenlet the class says too little, as each scheduler wants another answer of the
 * same program outside. So main's policy is an object of its own, which a scheduler gives it (`thread.govern`).
 */
import type { Body } from "./body.ts"
import type { DataFrame } from "./data-frame.ts"
import type { Frame } from "./frame.ts"
import type { MainGreenlet, Microthread, Operation } from "./ports.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  /** Is it an error that it will resume with? */
  readonly raising: boolean
  /** Its body returned `value`, and it is dead: names the one to run next. */
  ends(value: unknown): Microthread
  /** Its body threw `error`, and it is dead: names the one to run next. */
  dies(error: unknown): Microthread
  /** Its fiber suspends on a foreign Effect: names the one to run next. */
  waits(): Microthread
  /** Something may come from outside, whatever it waits for else: from `true` to `false`. */
  expects(something: boolean): void
  /** Its wait is over, and it can be resumed. */
  waited(): void
  /** Its fiber was interrupted while it was suspended in an operation. Returns the error that it resumes with. */
  interrupted(): unknown
  /** Is it an error that ends one of its kind silently, whoever made it? */
  isExit(error: unknown): boolean
  /** A race or timeout around a call of it was decided otherwise. Returns the error that the call ends with. */
  givesUp(): unknown
  /** A race or timeout around its switch was decided: it need not be switched to any more to go on. */
  reclaims(): void
  /** It has made as many steps as `thread.allow` says: names the one to run next. */
  preempted(): Microthread
  /** Its thread ends, and it has not: the error to end it with. */
  orphaned(): unknown
  /** Of a main greenlet: the fiber that stood for it was interrupted, and it is the current one again. */
  abandoned(): void
  /** A frame of one that is traced, behind one that tells of it. */
  tracedFrame(frame: Frame | DataFrame): Frame | DataFrame
  /** A body of one that is traced, which tells of its call. */
  tracedBody(body: Body): Body
}

/**
 * The policy of a main greenlet: here what any greenlet answers. A scheduler extends it, and gives it to `thread.govern`.
 *
 * @category models
 * @since 0.1.0
 */
export class MainPolicy implements Policy {
  /** The main greenlet that it is the policy of. */
  readonly main: MainGreenlet

  constructor(main: MainGreenlet) {
    this.main = main
  }

  /** What main answers by itself. */
  private get own(): Policy {
    return this.main as unknown as Policy
  }

  /** See `Microthread`, for this and for what follows. */
  get raising(): boolean {
    return this.own.raising
  }
  ends(value: unknown): Microthread {
    return this.own.ends(value)
  }
  dies(error: unknown): Microthread {
    return this.own.dies(error)
  }
  waits(): Microthread {
    return this.own.waits()
  }
  expects(something: boolean): void {
    this.own.expects(something)
  }
  waited(): void {
    this.own.waited()
  }
  interrupted(): unknown {
    return this.own.interrupted()
  }
  isExit(error: unknown): boolean {
    return this.own.isExit(error)
  }
  givesUp(): unknown {
    return this.own.givesUp()
  }
  reclaims(): void {
    this.own.reclaims()
  }
  preempted(): Microthread {
    return this.own.preempted()
  }
  orphaned(): unknown {
    return this.own.orphaned()
  }
  abandoned(): void {
    this.own.abandoned()
  }
  tracedFrame(frame: Frame | DataFrame): Frame | DataFrame {
    return this.own.tracedFrame(frame)
  }
  tracedBody(body: Body): Body {
    return this.own.tracedBody(body)
  }

  /** It is about to get an error: what it waits for must not resume it any more. */
  raised(): void {}

  /** A switch to it was made: what is performed in its place. */
  switching(operation: Operation): Operation {
    return operation
  }
}

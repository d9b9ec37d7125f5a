/**
 * What the author of a scheduler needs of a microthread, beside its public methods, its `protected` ones, and the fields `INBOX` and
 * `BITS`. `stackless` and `compat` are written with nothing else; how, says CONTRIBUTING.md.
 *
 * These are functions and no methods, so that who uses a tasklet does not come across them.
 */
import type * as Context from "effect/Context"
import type { GreenletFiber } from "./effect/fiber.ts"
import type { Greenlet } from "./greenlet.ts"
import type { Body } from "./kernel/body.ts"
import type { DataFrame } from "./kernel/data-frame.ts"
import type { Frame } from "./kernel/frame.ts"
import type { Microthread } from "./kernel/microthread.ts"
import type { Policy } from "./kernel/policy.ts"

// ---- what it answers ------------------------------------------------------------------------------------------------

/**
 * Who answers what the loop asks of a microthread: itself, or of a main greenlet whoever governs its thread.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const policyOf = (microthread: Microthread): Policy => microthread._policy

/**
 * An error that ends a microthread silently, as its kind has them: `GreenletExit`, or a tasklet's `TaskletExit`.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const exitFor = (microthread: Microthread, message: string): Error => microthread._hooks.exitWith(message)

/**
 * Sets a flag of a microthread, or takes it off. Flags are bits from `FLAG` on, and `TRACED`; they are read as
 * `microthread["~bits"] & flag`.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const setFlag = (microthread: Microthread, flag: number, on: boolean): void => {
  if (on) microthread["~bits"] |= flag
  else microthread["~bits"] &= ~flag
}

// ---- its life -------------------------------------------------------------------------------------------------------

/**
 * The body of a microthread that has not started, if it has one.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const bodyOf = (microthread: Microthread): Body | undefined =>
  microthread.unstarted ? microthread._code as Body | undefined : undefined

/**
 * Makes a microthread unstarted again, with another body: a dead one, or one whose frames shall be dropped as they are.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const rebind = (microthread: Microthread, body: Body | undefined): void => microthread._rebind(body)

/**
 * Ends a microthread where it stands: its frames are dropped as they are, and nobody is told.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const bury = (microthread: Microthread): void => microthread._bury()

/**
 * What a greenlet was made with.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const originOf = (greenlet: Greenlet): Body | undefined => greenlet._origin

// ---- its frames -----------------------------------------------------------------------------------------------------

/**
 * The innermost frame of a microthread that has started, if it has one.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const topFrameOf = (microthread: Microthread): Frame | DataFrame | undefined =>
  microthread.unstarted ? undefined : microthread._code as Frame | DataFrame | undefined

/**
 * Puts a frame on top, to be resumed next, with nothing.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const pushFrame = (microthread: Microthread, frame: Frame | DataFrame): void => microthread._push(frame)

/**
 * Puts another frame in the place of the innermost one.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const replaceTopFrame = (microthread: Microthread, frame: Frame | DataFrame): void =>
  microthread._replaceTop(frame)

/**
 * Puts each frame of a microthread in the middle of its body behind what `wrap` makes of it.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const wrapFrames = (microthread: Microthread, wrap: (frame: Frame | DataFrame) => Frame | DataFrame): void => {
  const { _stack: stack } = microthread
  const top = topFrameOf(microthread)
  if (top !== undefined) microthread._replaceTop(wrap(top))
  if (stack !== undefined) microthread._stack = stack.map(wrap)
}

// ---- its fiber and its context --------------------------------------------------------------------------------------

/**
 * The fiber of a microthread, once it is hard.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const fiberOf = (microthread: Microthread): GreenletFiber | undefined =>
  microthread._fiber as GreenletFiber | undefined

/**
 * Is it about to resume with an error that ends an Effect for which it waited?
 *
 * @category schedulers
 * @since 0.1.0
 */
export const raisesInEffect = (microthread: Microthread): boolean => microthread._raisesInEffect

/**
 * The context of Effect in force: what its next Effect runs in, and what it makes inherits.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const contextOf = (microthread: Microthread): Context.Context<never> => microthread._contextInForce

/**
 * Sets the context in force, for all Effects in progress as well, each up to its own end.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const setContextOf = (microthread: Microthread, context: Context.Context<never>): void => {
  microthread._contextInForce = context
}

/**
 * The context that a microthread was made in; of main, that of the fiber that stands for it. None, if that was plain code.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const originalContextOf = (microthread: Microthread): Context.Context<never> | undefined => microthread._context

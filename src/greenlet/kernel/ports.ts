/**
 * Types alone: what the files of the kernel have to do with each other, named before it is there.
 *
 * An operation is performed for a microthread, which belongs to a thread, which performs operations. Each is a file of its
 * own, and files import downward only. So each of these is declared here, empty, and the file that it is named after adds
 * to it what it is.
 */

/** What runs: microthread.ts. */
export interface Microthread {}

/** The loop that runs them: thread.ts. */
export interface Thread {}

/** What they do: operation.ts. */
export interface Operation {}

/** The greenlet that stands for the program outside: ../greenlet.ts. */
export interface MainGreenlet {}

/** The fiber of Effect that a microthread may have: ../effect/fiber.ts. */
export interface GreenletFiber {}

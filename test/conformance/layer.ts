/** The layers that programs are written for, and what runs them. */
import { basename } from "node:path"
import type { ProgramGear } from "./gear.ts"
import { GeventMachine, geventProbe } from "./gevent.ts"
import { GreenletMachine, greenletProbe } from "./greenlet.ts"
import type { Machine } from "./machine.ts"
import type { Program } from "./program.ts"
import { StacklessMachine, stacklessProbe } from "./stackless.ts"

export type LayerName = "greenlet" | "stackless" | "gevent"

export const layerNames: ReadonlyArray<LayerName> = ["greenlet", "stackless", "gevent"]

export const isLayerName = (name: string): name is LayerName => layerNames.some((known) => known === name)

export interface Layer {
  /** Starts a program on the current thread. */
  machine(
    program: Program,
    gear: ProgramGear,
    trace: Array<string>,
    attempt: number,
    fuel?: number,
    tick?: number
  ): Pick<Machine<never>, "run" | "advance" | "leave" | "arrive" | "settle" | "trace">
  /**
   * How often a program is run until its trace is as recorded, if its programs tell the time: they run on a clock of
   * their own then, and their times jitter in another way each time.
   */
  readonly attempts?: number
  /** A program, with its trace, that shows that a thread still works. */
  readonly probe: Program
}

/** `undefined`: there is no such layer yet, only programs for it. */
export const layers: Readonly<Record<LayerName, Layer | undefined>> = {
  greenlet: {
    machine: (program, gear, trace) => new GreenletMachine(program as Program<never>, gear, trace),
    probe: greenletProbe
  },
  stackless: {
    machine: (program, gear, trace, _attempt, fuel) =>
      new StacklessMachine(program as Program<never>, gear, trace, fuel),
    probe: stacklessProbe
  },
  gevent: {
    machine: (program, gear, trace, attempt, _fuel, tick) =>
      new GeventMachine(program as Program<never>, gear, trace, attempt, tick),
    attempts: 500,
    probe: geventProbe
  }
}

/** The layer that a file is for: its name begins with it, or else its first program is of that layer's shape. */
export const layerOf = (path: string, [first]: ReadonlyArray<Program>): LayerName => {
  const named = layerNames.find((name) => basename(path).startsWith(name))
  if (named !== undefined) return named
  if (first?.channels !== undefined) return "stackless"
  return first?.things === undefined ? "greenlet" : "gevent"
}

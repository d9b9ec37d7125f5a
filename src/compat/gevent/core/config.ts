/**
 * What can be set. Carries `gevent.config`, of which one setting has a counterpart here.
 *
 * Where it differs: upstream tracks the tree of greenlets unless told otherwise. Here that is off, as it costs a
 * greenlet more than all the rest of it.
 */
export interface Config {
  /**
   * Do greenlets that are made from now on know who spawned them, and from where? The environment variable
   * `GEVENT_TRACK_GREENLET_TREE` sets it at the start, with `1`, `on`, `yes` or `true`. Mirrors
   * `gevent.config.track_greenlet_tree`.
   */
  trackGreenletTree: boolean
}

/**
 * The settings. Mirrors `gevent.config`.
 *
 * @example
 * ```ts
 * import { config, Greenlet } from "effect-stackless/compat/gevent"
 *
 * config.trackGreenletTree = true
 * const greenlet = new Greenlet(() => 1)
 * config.trackGreenletTree = false
 * String(greenlet.spawningGreenlet()) // => <Greenlet current active started main>
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const config: Config = {
  trackGreenletTree: /^(1|on|yes|true)$/i.test(process.env["GEVENT_TRACK_GREENLET_TREE"] ?? "")
}

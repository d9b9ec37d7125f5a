/** Who waits on what, in words. */
import type { Recording } from "./recording.ts"

/** The name of a channel. */
export const channelName = ({ channels }: Pick<Recording, "channels">, id: number): string => {
  const name = channels[id]?.name
  return name === undefined || name === "" ? `channel #${id}` : name
}

/** What a state is, in words. */
export const stateName = (
  data: Pick<Recording, "channels">,
  name: typeof channelName,
  state: number,
  wait: number
): string => {
  const words = ["runnable", "", "waits for an Effect", "paused", "ended", "failed", "in run", "running"]
  const stuck = (state & 16) !== 0 ? "deadlock: " : ""
  const kind = state & 7
  if (kind !== 1) return stuck + words[kind]!
  const each = data.channels[wait >> 1]?.waits ?? [wait]
  return stuck + each.map((one) => `${one % 2 === 1 ? "send" : "receive"} on ${name(data, one >> 1)}`).join(", ")
}

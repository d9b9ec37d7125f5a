/** Channels, as everybody else knows them: kept together with how a scheduler is made, see tasklet.ts. */
import * as channels from "./channel.ts"
import { bound } from "./tasklet.ts"

// It has its documentation where it is made.
export const Channel: typeof channels.Channel = bound(channels.Channel)
export type Channel<T = any> = channels.Channel<T>

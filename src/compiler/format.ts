/** The version of what compiled code and the runtime agree on. */
export const FORMAT = 3

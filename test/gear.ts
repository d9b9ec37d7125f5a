/** Do the tests run compiled (vitest.compiled.config.ts)? Then the bodies in them are frames, which know where they stand. */
export const compiled = "pc" in (function*() {})()

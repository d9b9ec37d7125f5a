/**
 * Is it a proxy? The language does not say; Node, Deno and Bun do, and have to be asked before a trap of it can run. In a
 * browser a proxy is taken for the object that it passes itself off as.
 */
interface Host {
  readonly process?: { readonly getBuiltinModule?: (name: string) => { readonly types: typeof types } | undefined }
}

declare const types: { readonly isProxy: (u: unknown) => boolean }

export const isProxy: (u: unknown) => boolean =
  (globalThis as Host).process?.getBuiltinModule?.("node:util")?.types.isProxy ?? (() => false)

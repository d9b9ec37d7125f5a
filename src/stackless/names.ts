/**
 * Names of tasklets and channels, for people who read errors. They are rare and so are kept beside the objects: one
 * without a name pays nothing. Upstream leaves them to subclasses.
 */
const names = new WeakMap<object, string>()

/** The property `name` of a prototype. */
export const nameProperty: PropertyDescriptor = {
  configurable: true,
  get(this: object): string | undefined {
    return names.get(this)
  },
  set(this: object, name: string | undefined) {
    if (name === undefined) names.delete(this)
    else names.set(this, String(name))
  }
}

/** What an error calls it: `tasklet "name"`, or `a tasklet`. */
export const named = (what: string, { name }: { readonly name?: string | undefined }): string =>
  name === undefined ? `a ${what}` : `${what} ${JSON.stringify(name)}`

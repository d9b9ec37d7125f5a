/** Stands for the compiler, which is for Node. Only programs that are given as text need it, which those in the page are not. */
export const compile = (): never => {
  throw new Error("there is no compiler in a page")
}

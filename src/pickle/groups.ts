/**
 * Groups of records that refer to one another in a circle: the strongly connected components of the graph, by Tarjan's
 * algorithm, which gives each after those that it refers to. It keeps its own stack, as the graph is as deep as it likes.
 */
export const groupsOf = (
  count: number,
  referencesOf: (id: number) => ReadonlyArray<number>
): ReadonlyArray<ReadonlyArray<number>> => {
  const groups: Array<Array<number>> = []
  const order = new Int32Array(count).fill(-1)
  const lowest = new Int32Array(count)
  const onStack = new Uint8Array(count)
  const stack: Array<number> = []
  let visited = 0

  const path: Array<{ readonly id: number; readonly references: ReadonlyArray<number>; at: number }> = []
  const visit = (id: number): void => {
    order[id] = lowest[id] = visited++
    stack.push(id)
    onStack[id] = 1
    path.push({ id, references: referencesOf(id), at: 0 })
  }
  for (let root = 0; root < count; root++) {
    if (order[root] !== -1) continue
    visit(root)
    while (path.length > 0) {
      const step = path.at(-1)!
      const { id, references } = step
      if (step.at < references.length) {
        const other = references[step.at++]!
        if (order[other] === -1) visit(other)
        else if (onStack[other] === 1) lowest[id] = Math.min(lowest[id]!, order[other]!)
        continue
      }
      path.pop()
      const below = path.at(-1)
      if (below !== undefined) lowest[below.id] = Math.min(lowest[below.id]!, lowest[id]!)
      if (lowest[id] !== order[id]) continue
      const group: Array<number> = []
      for (;;) {
        const member = stack.pop()!
        onStack[member] = 0
        group.push(member)
        if (member === id) break
      }
      groups.push(group)
    }
  }
  return groups
}

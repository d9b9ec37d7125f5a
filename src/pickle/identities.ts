/** The numbers of objects. One map of the language holds 16 million at most, so there are as many as are needed. */

const FULL = 2 ** 24 - 1

export class Identities {
  private map = new Map<object, number>()
  private readonly full: Array<Map<object, number>> = []

  get(o: object): number | undefined {
    const found = this.map.get(o)
    if (found !== undefined || this.full.length === 0) return found
    for (const map of this.full) {
      const found = map.get(o)
      if (found !== undefined) return found
    }
    return undefined
  }

  set(o: object, number: number): void {
    if (this.map.size === FULL) {
      this.full.push(this.map)
      this.map = new Map()
    }
    this.map.set(o, number)
  }
}

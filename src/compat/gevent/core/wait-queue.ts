/**
 * The line: who waits for something, first come first served.
 *
 * Links, getters and putters all stand in one of these. Upstream takes lists and deques, and searches them for one that
 * gives up; here a place knows its neighbours, so joining, leaving from the middle and being served are all O(1).
 */
export class Place<out T> {
  /** @internal */
  before: Place<unknown> | undefined = undefined
  /** @internal */
  after: Place<unknown> | undefined = undefined
  /** @internal the line that it is in */
  line: unknown = undefined
  readonly value: T
  constructor(value: T) {
    this.value = value
  }
}

export class WaitQueue<in out T> {
  private first_: Place<T> | undefined = undefined
  private last_: Place<T> | undefined = undefined
  size = 0

  get first(): Place<T> | undefined {
    return this.first_
  }

  get last(): Place<T> | undefined {
    return this.last_
  }

  /** Joins at the end. */
  push(value: T): Place<T> {
    return this.rejoin(new Place(value))
  }

  /** The same with a place that was taken out. */
  rejoin(place: Place<T>): Place<T> {
    place.line = this
    place.before = this.last_
    if (this.last_ === undefined) this.first_ = place
    else this.last_.after = place
    this.last_ = place
    this.size++
    return place
  }

  /** Takes the first out. */
  shift(): Place<T> | undefined {
    const first = this.first_
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Takes a place out; nothing happens if it is not in this line. */
  remove(place: Place<T>): void {
    if (place.line !== this) return
    const { after, before } = place as { after: Place<T> | undefined; before: Place<T> | undefined }
    if (before === undefined) this.first_ = after
    else before.after = after
    if (after === undefined) this.last_ = before
    else after.before = before
    place.before = place.after = place.line = undefined
    this.size--
  }

  /** The first place whose value is meant. */
  find(isMeant: (value: T) => boolean): Place<T> | undefined {
    for (let place = this.first_; place !== undefined; place = place.after as Place<T> | undefined) {
      if (isMeant(place.value)) return place
    }
    return undefined
  }

  clear(): void {
    while (this.first_ !== undefined) this.remove(this.first_)
  }
}

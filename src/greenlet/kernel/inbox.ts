/**
 * The inbox: what the next resume of a microthread brings.
 *
 * `give` and `raise` fill it, and are all that most operations need. `microthread["~inbox"]` is for the ones that everything waits for,
 * a message of a channel for one: it is a field, which is read and written as it is. A field of a
 * subclass, in a program, may well have the name `inbox`; so it has one that nobody gives a field. It is no symbol, and where it is
 * used often its name is written out: V8 looks up a name in tasklets of many classes in a fifth of the time that it needs for a key.
 */

/**
 * The field of a microthread that holds what its next resume brings: the value of a suspended one, or the error if it is `raising`; the
 * arguments of one that has not started: nothing for none, an array for several, one that is no array as it is.
 *
 * A value may be written to it as it is where the microthread is known to be suspended and not `raising`. In all other cases `give`
 * and `raise` do what else is to be done.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const INBOX = "~inbox"

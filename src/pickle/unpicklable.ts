/** What stops a dump, before the way to it is known. */
export class Unpicklable extends Error {}

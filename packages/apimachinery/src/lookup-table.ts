/** A table that has what it lists and nothing else: clients' words (`constructor`) find nothing of Object's in it. */
export const lookupTable = <T>(entries: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
  Object.freeze(Object.assign(Object.create(null) as Record<string, T>, entries));

/** A Go map as Go prints it: keys sorted; null where there is none. */
export const sortedMap = <T>(map: Readonly<Record<string, T>> | undefined): Record<string, T> | null =>
  map === undefined ? null : Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));

/** `--v` as upstream counts: 0 to 3 tell what happens, from 4 on each request is logged. */
export const logLevel = (v: number): string => (v >= 6 ? 'trace' : v >= 4 ? 'debug' : 'info');

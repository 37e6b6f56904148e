/** What the exit code of the command says, for scripts. */
export const exitCodes = {
  /** Something else went wrong. */
  failed: 1,
  /** A flag or argument is wrong, or this host is not fit. */
  usage: 2,
  /** Nobody answers there, or not an apiserver. */
  unreachable: 3,
  /** A token, a pin or a signature is wrong, or the API refuses. */
  refused: 4,
  /** The name is taken, or this host is in a cluster already. */
  conflict: 5,
} as const;

/** Something the user can mend: printed as it is, without a stack. */
export class UserError extends Error {
  readonly exitCode: number;
  constructor(message: string, kind: keyof typeof exitCodes = 'failed') {
    super(message);
    this.exitCode = exitCodes[kind];
  }
}

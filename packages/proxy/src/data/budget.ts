import { readFileSync } from 'node:fs';

/** How many file descriptors this process may have (Node raises the soft limit to the hard one at start). */
export function descriptorLimit(): number {
  const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return line?.[1] === undefined || line[1] === 'unlimited' ? 1_048_576 : Number(line[1]);
}

/** Kept back for files, the control socket and the hand-over. */
const reserve = 200;
/** No single Service may take more than this share of all connections. */
const groupShare = 0.75;

/**
 * Counts connections (two descriptors each), listeners and UDP sessions (one each) against the limit. When it is near, new
 * connections are shed by a reset rather than left to hang, so that the listeners of all other Services go on working.
 */
export class DescriptorBudget {
  readonly limit: number;
  #listeners = 0;
  #sessions = 0;
  #connections = 0;
  shed = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get connections(): number {
    return this.#connections;
  }
  get sessions(): number {
    return this.#sessions;
  }
  get listeners(): number {
    return this.#listeners;
  }

  #free(): number {
    return this.limit - reserve - this.#listeners - this.#sessions - 2 * this.#connections;
  }

  /** `openInGroup`: connections that the same group has now. */
  admits(openInGroup: number): boolean {
    const most = Math.max(1, Math.floor(((this.limit - reserve - this.#listeners - this.#sessions) / 2) * groupShare));
    return this.#free() >= 2 && openInGroup < most;
  }
  /** UDP sessions may take at most a quarter of everything; an older one gives way. */
  admitsSession(): boolean {
    return this.#free() >= 2 && this.#sessions < this.limit / 4;
  }
  addConnections(n: number): void {
    this.#connections += n;
  }
  addListeners(n: number): void {
    this.#listeners += n;
  }
  addSessions(n: number): void {
    this.#sessions += n;
  }
}

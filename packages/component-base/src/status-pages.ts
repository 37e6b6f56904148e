const warning =
  'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.';

const two = (n: number): string => String(n).padStart(2, '0');
const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** As Go's time.UnixDate in UTC. */
function unixDate(ms: number): string {
  const d = new Date(ms);
  const time = [d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()].map(two).join(':');
  return `${weekdays[d.getUTCDay()]} ${months[d.getUTCMonth()]} ${String(d.getUTCDate()).padStart(2)} ${time} UTC ${d.getUTCFullYear()}`;
}

/** /statusz (KEP-4827) as text. */
export function renderStatusz(o: {
  readonly component: string;
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** `1.36.2`. */
  readonly version: string;
  readonly paths: readonly string[];
}): string {
  const up = Math.max(0, Math.floor((o.nowMs - o.startedAtMs) / 1000));
  const lines = [
    `Started  ${unixDate(o.startedAtMs)}`,
    `Up  ${Math.floor(up / 3600)} hr ${two(Math.floor(up / 60) % 60)} min ${two(up % 60)} sec`,
    `Node.js version  ${process.version}`,
    `Binary version  ${o.version}`,
    `Emulation version  ${o.version.split('.').slice(0, 2).join('.')}`,
    `Paths  ${[...o.paths].sort().join(' ')}`,
  ];
  return `\n${o.component} statusz\n${warning}\n\n${lines.join('\n')}\n`;
}

/** /flagz (KEP-4828) as text: every flag with its value. */
export function renderFlagz(component: string, flags: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(flags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} ${Array.isArray(value) ? `[${value.join(',')}]` : value === undefined ? '' : String(value)}`);
  return `\n${component} flagz\n${warning}\n\n${lines.join('\n')}\n`;
}

/** Whether a client takes text; these pages have no other form. */
export const takesText = (accept: string | undefined): boolean =>
  accept === undefined || accept === '' || /(^|[\s,])(\*\/\*|text\/(\*|plain))/.test(accept);

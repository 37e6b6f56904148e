import { expect, it } from 'vitest';
import { NodeTunnel } from './node-tunnel.ts';
import type { ServerCall } from './server-call.ts';

it('a drain that nobody waits for any more is forgotten', () => {
  const tunnel = new NodeTunnel({ nodeName: 'n', maxConnections: 1 }, { open: true, write: () => undefined } as unknown as ServerCall);
  const answers: unknown[] = [];
  const forget = tunnel.drain(['10.0.0.1'], 100, (answer) => answers.push(['forgotten', answer]));
  tunnel.drain(['10.0.0.2'], 100, (answer) => answers.push(['waiting', answer]));
  forget();
  tunnel.ended();
  expect(answers).toEqual([['waiting', undefined]]);
});

import { silentLogger } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { CommandFailed } from './command.ts';
import { forgetConnections } from './connection-tracking.ts';

const gone = [
  { address: undefined, port: 30_053, endpoint: '10.244.1.2' },
  { address: '203.0.113.7', port: 53, endpoint: '10.244.1.2' },
];

it('datagrams to endpoints that are gone are forgotten, where the host has the program', async () => {
  const commands: string[] = [];
  const run = (command: string, args: readonly string[]) => {
    commands.push([command, ...args].join(' '));
    return Promise.resolve({ code: 1, stdout: '', stderr: '0 flow entries have been deleted' });
  };
  await forgetConnections(run, gone, silentLogger);
  expect(commands).toEqual([
    'conntrack -D -p udp --orig-port-dst 30053 --dst-nat 10.244.1.2',
    'conntrack -D -p udp --orig-dst 203.0.113.7 --orig-port-dst 53 --dst-nat 10.244.1.2',
  ]);
  await forgetConnections(() => Promise.reject(new CommandFailed("conntrack can't be run")), gone, silentLogger);
});

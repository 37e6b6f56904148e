import { silentLogger } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { CommandFailed } from './command.ts';
import { forgetConnections, udpTargetsIn } from './connection-tracking.ts';

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

it('what an earlier run led somewhere is read from its rules', () => {
  const outside = '! -s 10.244.1.0/24';
  const dnat = '-j DNAT --to-destination 10.244.1.2:53';
  const saved = {
    nat: {
      PRE: [
        `${outside} -p udp -m addrtype ! --src-type LOCAL --dst-type LOCAL -m udp --dport 30053 -m statistic --mode random --probability 0.5 ${dnat}`,
        `${outside} -d 203.0.113.7/32 -p udp -m addrtype ! --src-type LOCAL -m udp --dport 53 ${dnat}`,
        `${outside} -p tcp -m addrtype ! --src-type LOCAL --dst-type LOCAL -m tcp --dport 30053 ${dnat}`,
      ],
      OTHERS: [`-p udp -m udp --dport 5353 ${dnat}`],
    },
  };
  const plan = { chains: { raw: {}, mangle: {}, filter: {}, nat: { PRE: [], OUT: [] } }, jumps: [] };
  expect(udpTargetsIn(saved, plan)).toEqual(gone);
});

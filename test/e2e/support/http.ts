import { Resolver } from 'node:dns';
import { request } from 'node:http';
import type { LookupFunction } from 'node:net';

/** One GET on a connection of its own: `[version, pod, client]`. Names are resolved by `nameServer`; without, as the machine does. */
export function get(url: string, timeoutMs = 5000, nameServer?: string): Promise<readonly string[]> {
  const lookup = nameServer === undefined ? {} : { lookup: lookupBy(nameServer) };
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: false, timeout: timeoutMs, ...lookup }, (res) => {
      let text = '';
      res.on('data', (d: Buffer) => {
        text += d.toString();
      });
      res.on('end', () => (res.statusCode === 200 ? resolve(text.trim().split(' ')) : reject(new Error(`status ${res.statusCode}`))));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('timed out')));
    req.on('error', reject);
    req.end();
  });
}

function lookupBy(nameServer: string): LookupFunction {
  const resolver = new Resolver({ tries: 10 });
  resolver.setServers([nameServer]);
  return (name, o, done) =>
    resolver.resolve4(name, (error, found) => {
      const addresses = error === null ? found.map((address) => ({ address, family: 4 })) : [];
      if (error !== null || o.all === true) done(error, addresses);
      else done(null, found[0] ?? '', 4);
    });
}

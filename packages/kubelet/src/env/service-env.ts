import type { Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

const variable = (text: string): string => text.toUpperCase().replaceAll('-', '_');

/** IPv6 addresses stand in brackets before a port. */
const hostPort = (ip: string, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

/**
 * The variables by which a pod finds Services without DNS: `NAME_SERVICE_HOST` and the like, and Docker's link variables.
 * The `kubernetes` Service of `default` is always among them; the namespace's own only with service links.
 */
export function renderServiceEnv(
  services: readonly DeepReadonly<Service>[],
  namespace: string,
  serviceLinks: boolean,
): Map<string, string> {
  const chosen = new Map<string, DeepReadonly<Service>>();
  for (const s of services) {
    const ip = s.spec?.clusterIP;
    const name = s.metadata?.name;
    if (ip === undefined || ip === '' || ip === 'None' || name === undefined) continue;
    if (s.metadata?.namespace === namespace && serviceLinks) chosen.set(name, s);
    else if (s.metadata?.namespace === 'default' && name === 'kubernetes' && !chosen.has(name)) chosen.set(name, s);
  }
  const env = new Map<string, string>();
  for (const [name, s] of chosen) {
    const ports = s.spec?.ports ?? [];
    const ip = s.spec?.clusterIP ?? '';
    const prefix = variable(name);
    const first = ports[0];
    env.set(`${prefix}_SERVICE_HOST`, ip);
    if (first === undefined) continue;
    env.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const p of ports) if (p.name !== undefined && p.name !== '') env.set(`${prefix}_SERVICE_PORT_${variable(p.name)}`, String(p.port));
    ports.forEach((p, i) => {
      const protocol = p.protocol ?? 'TCP';
      const url = `${protocol.toLowerCase()}://${hostPort(ip, p.port)}`;
      const link = `${prefix}_PORT_${p.port}_${protocol.toUpperCase()}`;
      if (i === 0) env.set(`${prefix}_PORT`, url);
      env.set(link, url);
      env.set(`${link}_PROTO`, protocol.toLowerCase());
      env.set(`${link}_PORT`, String(p.port));
      env.set(`${link}_ADDR`, ip);
    });
  }
  return env;
}

import { createServer } from 'node:net';
import { UserError } from '../user-error.ts';

/** Certificates are dated back by five minutes; a host whose clock is further behind can't use its own. */
const clockToleranceMs = 4 * 60_000;

/** Names of nodes are DNS names, and labels (kubernetes.io/hostname), so no longer than 63 characters. Throws UserError. */
export function checkNodeName(name: string): void {
  if (name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)) return;
  throw new UserError(
    `"${name}" can't be the name of a node: lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit, 63 characters at the most. Give another with --node-name.`,
    'usage',
  );
}

/** Throws UserError when this host's clock is too far from the server's for certificates and tokens to work. */
export function checkClock(aheadMs: number): void {
  if (Math.abs(aheadMs) <= clockToleranceMs) return;
  const distance = Math.abs(aheadMs) / 1000;
  const text =
    distance < 7200
      ? `${Math.round(distance / 60)} minutes`
      : distance < 172_800
        ? `${Math.round(distance / 3600)} hours`
        : `${Math.round(distance / 86_400)} days`;
  throw new UserError(
    `This host’s clock is ${text} ${aheadMs > 0 ? 'ahead of' : 'behind'} the cluster’s. Certificates and tokens would not work: set the clock (see timedatectl, chronyd) and join again.`,
    'usage',
  );
}

const minorOf = (version: string): number | undefined => {
  const match = /^v?1\.(\d+)\./.exec(version);
  return match === null ? undefined : Number(match[1]);
};

/** Kubernetes' rule: a kubelet is not newer than its apiserver, and up to three minor versions older. Throws UserError. */
export function checkVersionSkew(own: string, server: string): void {
  const [kubelet, apiserver] = [minorOf(own), minorOf(server)];
  if (kubelet !== undefined && apiserver !== undefined && kubelet <= apiserver && apiserver - kubelet <= 3) return;
  throw new UserError(
    `This Skiff is Kubernetes ${own}, the cluster is ${server}. A node may be up to three minor versions older than the control plane, never newer: use the version of Skiff that runs there.`,
    'usage',
  );
}

/** Throws UserError when something listens on the kubelet's port: most likely the kubelet of another cluster. */
export async function checkPortFree(port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '0.0.0.0', resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new UserError(
      `Something listens on port ${port} of this host, most likely the kubelet of another cluster. End it, or give this one another port with --kubelet-port.`,
      'conflict',
    );
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

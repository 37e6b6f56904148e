import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { kubeconfigPath } from '../supervisor/processes.ts';
import type { ClusterConfig } from '../config.ts';

interface AdminConfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

/** A GET with the administrator's certificate. Light on purpose: `up` asks a few times and must not load a whole client. Throws when nobody answers. */
export function adminGet(config: ClusterConfig, path: string): Promise<{ code: number; body: string }> {
  const admin = JSON.parse(readFileSync(kubeconfigPath(config, 'admin'), 'utf8')) as AdminConfig;
  const cluster = admin.clusters[0]?.cluster;
  const user = admin.users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error(`${kubeconfigPath(config, 'admin')} is not a kubeconfig of Skiff`);
  const pem = (data: string): Buffer => Buffer.from(data, 'base64');
  return new Promise((resolve, reject) => {
    const req = request(
      `${cluster.server}${path}`,
      {
        ca: pem(cluster['certificate-authority-data']),
        cert: pem(user['client-certificate-data']),
        key: pem(user['client-key-data']),
        timeout: 3000,
        headers: { accept: 'application/json' },
      },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (c: Buffer) => chunks.push(c));
        res.on('end', () => resolve({ code: res.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        res.on('error', reject);
      },
    );
    req.on('timeout', () => req.destroy(new Error('no answer within 3 s')));
    req.on('error', reject);
    req.end();
  });
}

interface NodeFacts {
  metadata: { name: string };
  status?: { conditions?: { type: string; status: string; message?: string; lastHeartbeatTime?: string }[] };
}

/** Whether the node of this host is Ready, with what it says if not. `sinceMs`: heartbeats from before do not count. */
export async function nodeReadiness(config: ClusterConfig): Promise<{ ready: boolean; why: string }> {
  let answer: { code: number; body: string };
  try {
    answer = await adminGet(config, `/api/v1/nodes/${config.nodeName}`);
  } catch (error) {
    return { ready: false, why: `the apiserver does not answer yet (${error instanceof Error ? error.message : String(error)})` };
  }
  if (answer.code === 404) return { ready: false, why: 'the kubelet has not registered its node yet' };
  if (answer.code !== 200) return { ready: false, why: `the apiserver answers with ${answer.code}` };
  const node = JSON.parse(answer.body) as NodeFacts;
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  return { ready: ready?.status === 'True', why: ready?.message ?? 'the node has no Ready condition yet' };
}

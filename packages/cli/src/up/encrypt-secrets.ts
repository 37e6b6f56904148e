import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiRequest, hostAccess, messageOf } from '../cluster/api-request.ts';
import type { ClusterConfig } from '../config.ts';
import { writeFile } from '../pki/kubeconfig.ts';
import { encryptionFile } from '../supervisor/processes.ts';
import { isExternalEtcd } from '../supervisor/etcd-process.ts';
import { isAlive, readState } from '../supervisor/state.ts';
import { UserError } from '../user-error.ts';
import type { Steps } from './steps.ts';

/** Secrets with a key of this cluster's own; what was there before can still be read. */
const renderEncryptionConfig = (
  secret: string,
): string => `# How the apiservers of this cluster keep Secrets in etcd. Whoever has this file and etcd's data can read them.
# Every control plane host needs the same file. To change the key: docs/access.md.
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - aesgcm:
          keys:
            - name: key1
              secret: ${secret}
      - identity: {}
`;

/** Makes the key, unless there is one. Throws UserError where other hosts would not have it. */
export function ensureEncryptionKey(config: ClusterConfig): void {
  const file = encryptionFile(config);
  if (existsSync(file)) return;
  const hasData = existsSync(join(config.rootDir, 'etcd/member')) || isExternalEtcd(config);
  if (hasData && (config.etcdExposed || isExternalEtcd(config)))
    throw new UserError(
      `Other control plane hosts may share this etcd, and they need the key before the first Secret is encrypted: docs/access.md says how, in steps.`,
      'conflict',
    );
  writeFile(file, renderEncryptionConfig(randomBytes(32).toString('base64')), 0o600);
}

/** Whether the apiserver that runs here was started with the key: one of before it writes Secrets as they are. */
export function hasEncryptionKey(rootDir: string): boolean {
  const apiserver = readState(rootDir)?.processes['apiserver'];
  if (!isAlive(apiserver)) return false;
  return readFileSync(`/proc/${apiserver.pid}/cmdline`, 'utf8').includes('\0--encryption-provider-config=');
}

interface SecretList {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly { readonly metadata: { readonly namespace: string; readonly name: string } }[];
}

/** Writes every Secret again: those of before the key was made are encrypted then. What changes meanwhile is written anyway. */
export async function encryptExisting(config: ClusterConfig, steps: Steps): Promise<void> {
  await steps.run('Encrypting the Secrets that are there', async (note) => {
    const access = hostAccess(config);
    let written = 0;
    let next = '';
    do {
      const page = await apiRequest(access, {
        path: `/api/v1/secrets?limit=100${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`,
      });
      if (page.code !== 200) throw new UserError(`Secrets can't be read: ${messageOf(page)}`);
      const list = JSON.parse(page.body) as SecretList;
      for (const item of list.items) {
        const { namespace, name } = item.metadata;
        const body = { apiVersion: 'v1', kind: 'Secret', ...item };
        const answer = await apiRequest(access, { method: 'PUT', path: `/api/v1/namespaces/${namespace}/secrets/${name}`, body });
        // Changed or deleted since it was read: whoever did that has written it.
        if (answer.code !== 200 && answer.code !== 404 && answer.code !== 409)
          throw new UserError(
            `Secret ${namespace}/${name} could not be encrypted: ${messageOf(answer)}. \`skiff up --encrypt-secrets\` goes on.`,
          );
        note(`${(written += 1)}`);
      }
      next = list.metadata.continue ?? '';
    } while (next !== '');
  });
}

/**
 * How an apiserver with Pod Security admission answers the pods of pods.fixture.ts, at each level and version:
 * `npx tsx --conditions=skiff-source scripts/compare/pod-security.ts <server> <directory of ca.crt, admin.crt, admin.key>`
 * prints what `recorded.json` beside the fixture holds. Dry runs, in namespaces `podsec-…`, which stay..
 */
import type { JsonObject } from '@skiff/apimachinery';
import { checkedPolicies, fixturePods } from '../../packages/apiserver/src/admission/pod-security/pods.fixture.ts';
import { connect } from './client.ts';

const [url = '', directory = ''] = process.argv.slice(2);
using server = connect(url, directory);
const recorded: Record<string, Record<string, string>> = {};
for (const policy of checkedPolicies) {
  const [level = '', version = ''] = policy.split(':');
  const name = `podsec-${policy.replace(/[:.]/g, '-')}`;
  const labels = {
    'pod-security.kubernetes.io/enforce': level,
    'pod-security.kubernetes.io/enforce-version': version,
    'pod-security.kubernetes.io/warn': 'privileged',
  };
  await server.call('POST', '/api/v1/namespaces', { metadata: { name, labels } });
  await server.call('POST', `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } });
  for (const [title, { annotations, spec }] of Object.entries(fixturePods)) {
    const pod = {
      metadata: { name: 'p', ...(annotations === undefined ? {} : { annotations }) },
      spec: { automountServiceAccountToken: false, ...spec },
    };
    const { code, body } = await server.call('POST', `/api/v1/namespaces/${name}/pods?dryRun=All`, pod as unknown as JsonObject);
    const before = `pods "p" is forbidden: violates PodSecurity "${policy}": `;
    const message = String(body['message'] ?? '');
    if (code !== 201 && !message.startsWith(before)) throw new Error(`${policy}, ${title}: ${code} ${message}`);
    (recorded[title] ??= {})[policy] = code === 201 ? '' : message.slice(before.length);
  }
}
// Neighbouring policies mostly say the same: each text once, with the policies that say it.
const compact: Record<string, Record<string, string[]>> = {};
for (const [title, byPolicy] of Object.entries(recorded)) {
  const texts: Record<string, string[]> = (compact[title] = {});
  for (const [policy, text] of Object.entries(byPolicy)) (texts[text] ??= []).push(policy);
}
console.log(JSON.stringify(compact, undefined, 1));

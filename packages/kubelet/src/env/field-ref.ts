import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import { isHostNetwork } from '../pod/pod-snapshot.ts';

export interface PodAddresses {
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
}

/** Go's %q for the strings that occur in labels and annotations. */
const quote = (text: string): string =>
  JSON.stringify(text)
    .replace(/\\u00([0-9a-f]{2})/g, '\\x$1')
    .replace(/\x7f/g, '\\x7f');

/** `key="value"` lines in key order, without a newline at the end: what a downward API file holds. */
export const formatStringMap = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}=${quote(v)}`)
    .join('\n');

/** The value of a downward API fieldPath. Throws for paths that don't exist. */
export function readPodField(pod: PodSnapshot, fieldPath: string, addresses: PodAddresses): string {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscript !== null) return pod.metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2] ?? ''] ?? '';
  const podIPs = isHostNetwork(pod) ? addresses.hostIPs : addresses.podIPs;
  switch (fieldPath) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace;
    case 'metadata.uid':
      return pod.metadata.uid;
    case 'metadata.labels':
      return formatStringMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatStringMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return addresses.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return addresses.hostIPs.join(',');
    case 'status.podIP':
      return podIPs[0] ?? '';
    case 'status.podIPs':
      return podIPs.join(',');
    default:
      throw new Error(`unsupported fieldPath: ${fieldPath}`);
  }
}

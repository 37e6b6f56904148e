import type { Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

/** No Service gets external IPs that it did not have: who sets them draws other people's traffic (CVE-2020-8554). Off by default. */
export const denyServiceExternalIPs: AdmissionPlugin = {
  name: 'DenyServiceExternalIPs',
  handles: (r) => (r.operation === 'CREATE' || r.operation === 'UPDATE') && isFor(r, '', 'services'),
  validate: (r) => {
    const had = new Set((r.oldObject as unknown as DeepReadonly<Service> | null)?.spec?.externalIPs);
    const wanted = (r.object as unknown as Service).spec?.externalIPs ?? [];
    if (wanted.some((ip) => !had.has(ip))) throw refuse(r, 'Use of external IPs is denied by admission control');
  },
};

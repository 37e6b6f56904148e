import { ipAddressName, validateIPAddress, validateIPAddressUpdate } from './validate-addresses.ts';
import { defineResource } from '../../define-resource.ts';
import type { IPAddress } from '../../generated/types/networking-v1.ts';
import { defineTable, nameColumn, nameOf } from '../../table.ts';

export const ipAddress = defineResource<IPAddress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  scope: 'Cluster',
  shortNames: ['ip'],
  schemaName: 'io.k8s.api.networking.v1.IPAddress',
  storageVersionHash: '3f/plJFChNE=',
  strategy: {
    validateName: ipAddressName,
    validate: (address, errors) => validateIPAddress(address, errors),
    validateUpdate: validateIPAddressUpdate,
  },
  table: defineTable([nameColumn, 'ParentRef'], (a) => {
    const parent = a.spec?.parentRef;
    if (parent === undefined) return [nameOf(a), '<none>'];
    const resource = `${parent.resource}${parent.group ? `.${parent.group}` : ''}`.toLowerCase();
    return [nameOf(a), [resource, ...(parent.namespace ? [parent.namespace] : []), parent.name].join('/')];
  }),
});

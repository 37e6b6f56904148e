import { defineResource } from '../../define-resource.ts';
import type { ControllerRevision } from '../../generated/types/apps-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';
import { parseGroupVersion } from '@skiff/apimachinery';

export const controllerRevision = defineResource<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.apps.v1.ControllerRevision',
  storageVersionHash: '85nkx63pcBU=',
  table: defineTable([nameColumn, 'Controller', 'Revision', 'Age'], (r, nowMs) => {
    const owner = (r.metadata?.ownerReferences ?? []).find((o) => o.controller);
    const group = parseGroupVersion(owner?.apiVersion ?? '').group;
    const kind = `${owner?.kind ?? ''}${group === '' ? '' : `.${group}`}`.toLowerCase();
    return [nameOf(r), owner ? `${kind}/${owner.name}` : '<none>', Number(r.revision ?? 0), age(r, nowMs)];
  }),
});

import { defineResource } from '../../define-resource.ts';
import type { ControllerRevision } from '../../generated/types/apps-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';
import { fieldImmutableError, nameIsDNSSubdomain, parseGroupVersion } from '@skiff/apimachinery';
import { deepEqual } from '../../semantic-equality.ts';
import { nonNegative } from '../../validation.ts';

export const controllerRevision = defineResource<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.apps.v1.ControllerRevision',
  storageVersionHash: '85nkx63pcBU=',
  strategy: {
    validateName: nameIsDNSSubdomain,
    validate(revision, errors) {
      nonNegative(errors, 'revision', Number(revision.revision ?? 0));
      const data: unknown = revision.data;
      if (data === undefined || data === null) errors.required('data', 'data is mandatory');
      else if (typeof data !== 'object' || Array.isArray(data)) errors.required('data', 'data must be a valid JSON object');
    },
    validateUpdate(revision, old, errors) {
      nonNegative(errors, 'revision', Number(revision.revision ?? 0));
      if (!deepEqual(revision.data, old.data)) errors.invalid('data', revision.data, fieldImmutableError);
    },
  },
  table: defineTable([nameColumn, 'Controller', 'Revision', 'Age'], (r, nowMs) => {
    const owner = (r.metadata?.ownerReferences ?? []).find((o) => o.controller);
    const group = parseGroupVersion(owner?.apiVersion ?? '').group;
    const kind = `${owner?.kind ?? ''}${group === '' ? '' : `.${group}`}`.toLowerCase();
    return [nameOf(r), owner ? `${kind}/${owner.name}` : '<none>', Number(r.revision ?? 0), age(r, nowMs)];
  }),
});

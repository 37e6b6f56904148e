import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { validateLimitRange } from './validate-limit-range.ts';
import { defineResource } from '../../define-resource.ts';
import type { LimitRange } from '../../generated/types/core-v1.ts';
import { defaultLimitRange } from './limit-range-defaults.ts';

export const limitRange = defineResource<LimitRange>({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  scope: 'Namespaced',
  shortNames: ['limits'],
  schemaName: 'io.k8s.api.core.v1.LimitRange',
  storageVersionHash: 'EBKMFVe6cwo=',
  defaults: defaultLimitRange,
  strategy: {
    validateName: nameIsDNSSubdomain,
    allowCreateOnUpdate: true,
    /** One without a name is called by a UUID. */
    prepareForCreate(draft) {
      if (draft.metadata && !draft.metadata.name && draft.metadata.uid) draft.metadata.name = draft.metadata.uid;
    },
    validate: (range, errors) => validateLimitRange(range, errors),
    validateUpdate: (range, _old, errors) => validateLimitRange(range, errors),
  },
});

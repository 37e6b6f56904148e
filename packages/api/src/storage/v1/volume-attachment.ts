import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { validateAttachment, validateAttachmentUpdate } from './validate-drivers.ts';
import { defineResource } from '../../define-resource.ts';
import type { VolumeAttachment } from '../../generated/types/storage-v1.ts';
import { keepMetadata, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { age, boolean, defineTable, nameColumn, nameOf } from '../../table.ts';

export const volumeAttachment = defineResource<VolumeAttachment>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.storage.v1.VolumeAttachment',
  storageVersionHash: 'tJx/ezt6UDU=',
  returnsDeletedObject: true,
  enforcement: 'enforced',
  resetFields: ['status'],
  strategy: specStrategy<VolumeAttachment>(
    {},
    {
      validateName: nameIsDNSSubdomain,
      allowUnconditionalUpdate: false,
      validate: (attachment, errors) => validateAttachment(attachment, errors),
      validateUpdate: validateAttachmentUpdate,
    },
  ),
  table: defineTable(
    [nameColumn, { name: 'Attacher', type: 'string', format: 'name' }, 'PV', 'Node', boolean('Attached'), 'Age'],
    (a, nowMs) => [
      nameOf(a),
      a.spec?.attacher ?? '',
      a.spec?.source?.persistentVolumeName ?? '',
      a.spec?.nodeName ?? '',
      a.status?.attached ?? false,
      age(a, nowMs),
    ],
  ),
  subresources: {
    status: statusSubresource(
      'VolumeAttachment',
      statusStrategy({
        prepareForUpdate: keepMetadata,
        validateUpdate: (attachment, _old, errors) => validateAttachment(attachment, errors),
      }),
    ),
  },
});

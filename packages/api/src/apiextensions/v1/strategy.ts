import { nameIsDNSSubdomain, type ResourceStrategy } from '@skiff/apimachinery';
import type { CustomResourceDefinition } from '../../generated/types/apiextensions-v1.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { formatWarnings } from './format-warnings.ts';
import { validateDefinition, validateDefinitionUpdate, validateSchemaRules } from './validate-definition.ts';

type CRD = CustomResourceDefinition;

export function defaultDefinition(definition: CRD): void {
  const spec = definition.spec;
  if (spec === undefined) return;
  spec.names.singular ||= spec.names.kind.toLowerCase();
  if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`;
  spec.conversion ??= { strategy: 'None' };
  const target = spec.conversion.webhook?.clientConfig?.service;
  if (target) target.port ??= 443;
  // Only where nobody has said anything: afterwards the strategy adds to it.
  const storage = spec.versions?.find((v) => v.storage)?.name;
  if (storage !== undefined && (definition.status?.storedVersions ?? []).length === 0)
    definition.status = { ...definition.status, storedVersions: [storage] } as NonNullable<CRD['status']>;
}

/** Versions that objects may be stored in are remembered until someone takes them out. */
function rememberStoredVersion(draft: CRD): void {
  const name = draft.spec?.versions.find((v) => v.storage)?.name;
  const status = draft.status;
  const before = status?.storedVersions ?? [];
  if (name === undefined || before.includes(name)) return;
  draft.status = { ...status, storedVersions: [...before, name] } as NonNullable<CRD['status']>;
}

export const definitionStrategy: ResourceStrategy<CRD> = specStrategy<CRD>(
  { generation: { spec: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec' } },
  {
    validateName: nameIsDNSSubdomain,
    allowUnconditionalUpdate: false,
    prepareForCreate: rememberStoredVersion,
    prepareForUpdate: rememberStoredVersion,
    validate: validateDefinition,
    validateUpdate: validateDefinitionUpdate,
    warnings: formatWarnings,
    validateInSteps: validateSchemaRules,
  },
);

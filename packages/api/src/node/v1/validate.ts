import { type DeepReadonly, type FieldErrors, nameIsDNSLabel, validateLabels } from '@skiff/apimachinery';
import { deprecatedNodeLabel } from '../../core/v1/deprecated-node-labels.ts';
import { validateTolerations } from '../../core/v1/pod/validate-scheduling.ts';
import { validateResourceRequirements } from '../../core/v1/resource-requirements.ts';
import type { RuntimeClass } from '../../generated/types/node-v1.ts';
import { goValue } from '../../go-value.ts';
import { immutable, invalidEach, requireText } from '../../validation.ts';

export function validateRuntimeClass(c: DeepReadonly<RuntimeClass>, errors: FieldErrors): void {
  if (requireText(errors, 'handler', c.handler)) invalidEach(errors, 'handler', c.handler, nameIsDNSLabel(c.handler, false));
  if (c.overhead)
    validateResourceRequirements({ limits: c.overhead.podFixed ?? {} }, 'overhead', errors, { of: 'container', claimNames: new Set() });
  if (c.scheduling === undefined) return;
  validateLabels(c.scheduling.nodeSelector, 'scheduling.nodeSelector', errors);
  const tolerations = c.scheduling.tolerations ?? [];
  const path = 'scheduling.tolerations';
  validateTolerations(tolerations, path, errors);
  const keys = tolerations.map((t) => JSON.stringify([t.key ?? '', t.operator ?? '', t.value ?? '', t.effect ?? '']));
  for (const [i, toleration] of tolerations.entries()) {
    if (keys.indexOf(keys[i] ?? '') < i) errors.duplicate(`${path}[${i}]`, goValue('io.k8s.api.core.v1.Toleration', toleration));
  }
}

export function validateRuntimeClassUpdate(c: DeepReadonly<RuntimeClass>, old: DeepReadonly<RuntimeClass>, errors: FieldErrors): void {
  validateRuntimeClass(c, errors);
  immutable(errors, 'handler', c.handler, old.handler);
}

export const runtimeClassWarnings = (c: DeepReadonly<RuntimeClass>): string[] =>
  Object.keys(c.scheduling?.nodeSelector ?? {}).flatMap((key) => {
    const message = deprecatedNodeLabel(key);
    return message === undefined ? [] : [`scheduling.nodeSelector: ${message}`];
  });

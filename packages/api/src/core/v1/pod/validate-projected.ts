import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { ProjectedVolumeSource, ServiceAccountTokenProjection, VolumeProjection } from '../../../generated/types/core-v1.ts';
import { requireText } from '../../../validation.ts';
import { fileMode, localNonReservedPath } from '../file-paths.ts';
import { checkKeyToPath } from '../volume-source-checks.ts';
import { validateDownwardFile } from './validate-volumes.ts';
import type { PodValidationOptions } from './validation-options.ts';

/** Sources of a projected volume share one directory: no path may come twice. */
export function validateProjected(
  projected: DeepReadonly<ProjectedVolumeSource>,
  path: string,
  errors: FieldErrors,
  options: PodValidationOptions,
): void {
  fileMode(errors, `${path}.defaultMode`, projected.defaultMode);
  const taken = new Set<string>();
  /** `owner` is what the complaint shows: upstream prints the object's name or the path. */
  const claim = (target: string, owner: string): void => {
    if (target === '') return;
    if (taken.has(target)) errors.invalid(path, owner, 'conflicting duplicate paths');
    taken.add(target);
  };
  for (const [i, source] of (projected.sources ?? []).entries()) {
    validateSource(source, { volume: path, source: `${path}.sources[${i}]` }, claim, errors, options);
  }
}

function validateSource(
  source: DeepReadonly<VolumeProjection>,
  at: { readonly volume: string; readonly source: string },
  claim: (target: string, owner: string) => void,
  errors: FieldErrors,
  options: PodValidationOptions,
): void {
  for (const kind of ['secret', 'configMap'] as const) {
    const keyed = source[kind];
    if (keyed === undefined) continue;
    requireText(errors, `${at.source}.${kind}.name`, keyed.name);
    for (const [i, item] of (keyed.items ?? []).entries()) {
      checkKeyToPath(item, `${at.source}.${kind}.items[${i}]`, errors);
      claim(item.path ?? '', keyed.name ?? '');
    }
  }
  for (const file of source.downwardAPI?.items ?? []) {
    validateDownwardFile(file, `${at.source}.downwardAPI`, errors);
    claim(file.path ?? '', file.path ?? '');
  }
  if (source.serviceAccountToken) validateToken(source.serviceAccountToken, at, errors, options);
  const kinds = [source.secret, source.configMap, source.downwardAPI, source.serviceAccountToken].filter((s) => s !== undefined).length;
  if (kinds > 1) errors.forbidden(at.source, 'may not specify more than 1 volume type per source');
}

function validateToken(
  token: DeepReadonly<ServiceAccountTokenProjection>,
  at: { readonly volume: string; readonly source: string },
  errors: FieldErrors,
  options: PodValidationOptions,
): void {
  const seconds = token.expirationSeconds ?? 0;
  const path = `${at.source}.serviceAccountToken.expirationSeconds`;
  if (seconds < 600) errors.invalid(path, seconds, 'may not specify a duration less than 10 minutes');
  if (seconds > 2 ** 32) errors.invalid(path, seconds, 'may not specify a duration larger than 2^32 seconds');
  if (!token.path) errors.required(`${at.volume}.path`);
  else if (!options.allowNonLocalProjectedTokenPath) localNonReservedPath(errors, `${at.volume}.path`, token.path);
}

import { type DeepReadonly, type FieldErrors, isValidGroupID, isValidUserID } from '@skiff/apimachinery';
import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext } from '../../../generated/types/core-v1.ts';
import { goValue } from '../../../go-value.ts';
import { invalidEach } from '../../../validation.ts';
import { localDescendingPath } from '../file-paths.ts';
import { validateWindowsOptions } from './validate-windows.ts';

export function validateSeccompProfile(profile: DeepReadonly<SeccompProfile> | undefined, path: string, errors: FieldErrors): void {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  const types = ['Localhost', 'RuntimeDefault', 'Unconfined'];
  if (!type) errors.required(`${path}.type`, 'type is required when seccompProfile is set');
  else if (!types.includes(type)) errors.notSupported(`${path}.type`, type, types);
  if (type !== 'Localhost') {
    if (localhostProfile !== undefined) {
      const shown = goValue('io.k8s.api.core.v1.SeccompProfile', profile);
      errors.invalid(`${path}.localhostProfile`, shown, 'can only be set when seccomp type is Localhost');
    }
  } else if (localhostProfile === undefined) errors.required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost');
  else localDescendingPath(errors, `${path}.localhostProfile`, localhostProfile);
}

export function validateAppArmorProfile(profile: DeepReadonly<AppArmorProfile> | undefined, path: string, errors: FieldErrors): void {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if (type === 'Localhost') {
    const trimmed = localhostProfile?.trim();
    if (trimmed !== localhostProfile) errors.invalid(at, localhostProfile, 'must not be padded with whitespace');
    else if (!trimmed) errors.required(at, 'must be set when AppArmor type is Localhost');
    if (Buffer.byteLength(localhostProfile ?? '') > 4095) errors.tooLong(at, 4095);
  } else if (type === 'RuntimeDefault' || type === 'Unconfined') {
    if (localhostProfile !== undefined) errors.invalid(at, localhostProfile, 'can only be set when AppArmor type is Localhost');
  } else if (!type) errors.required(`${path}.type`, 'type is required when appArmorProfile is set');
  else errors.notSupported(`${path}.type`, type, ['Localhost', 'RuntimeDefault', 'Unconfined']);
}

function validateIds(context: DeepReadonly<Pick<SecurityContext, 'runAsUser' | 'runAsGroup'>>, path: string, errors: FieldErrors): void {
  if (context.runAsUser !== undefined) invalidEach(errors, `${path}.runAsUser`, context.runAsUser, isValidUserID(context.runAsUser));
  if (context.runAsGroup !== undefined) invalidEach(errors, `${path}.runAsGroup`, context.runAsGroup, isValidGroupID(context.runAsGroup));
}

/** Of one container. `hostUsers`: the Pod has no user namespace of its own. */
export function validateSecurityContext(
  context: DeepReadonly<SecurityContext> | undefined,
  path: string,
  hostUsers: boolean,
  errors: FieldErrors,
): void {
  if (context === undefined) return;
  validateIds(context, path, errors);
  const { procMount } = context;
  if (procMount !== undefined) {
    if (procMount !== 'Default' && procMount !== 'Unmasked') errors.notSupported(`${path}.procMount`, procMount, ['Default', 'Unmasked']);
    if (hostUsers && procMount === 'Unmasked')
      errors.invalid(`${path}.procMount`, procMount, '`hostUsers` must be false to use `Unmasked`');
  }
  validateSeccompProfile(context.seccompProfile, `${path}.seccompProfile`, errors);
  if (context.allowPrivilegeEscalation === false) {
    const refuse = (detail: string): void =>
      errors.invalid(
        path,
        goValue('io.k8s.api.core.v1.SecurityContext', context),
        `cannot set \`allowPrivilegeEscalation\` to false and ${detail}`,
      );
    if (context.privileged) refuse('`privileged` to true');
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) refuse('`capabilities.Add` CAP_SYS_ADMIN');
  }
  validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`, errors);
  validateAppArmorProfile(context.appArmorProfile, `${path}.appArmorProfile`, errors);
}

const sysctlFormat = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
const sysctlRegex = new RegExp(sysctlFormat);

const ipcSysctls = new Set([
  'kernel.sem',
  ...['', 'all', 'max', 'mni', '_rmid_forced'].map((n) => `kernel.shm${n}`),
  ...['', 'max', 'mnb', 'mni'].map((n) => `kernel.msg${n}`),
]);
const normalizeSysctl = (name: string): string => {
  // The first separator decides which of the two notations the name has.
  const separator = /[./]/.exec(name)?.[0];
  return separator === '/' ? name.replaceAll(/[./]/g, (c) => (c === '/' ? '.' : '/')) : name;
};

/** `net.*` and the IPC ones are namespaced; with the host's namespace there is nothing of one's own to set. */
function sysctlNamespace(name: string): 'net' | 'ipc' | undefined {
  const sysctl = normalizeSysctl(name);
  if (sysctl.startsWith('net.')) return 'net';
  return ipcSysctls.has(sysctl) || sysctl.startsWith('fs.mqueue.') ? 'ipc' : undefined;
}

function validateSysctls(context: DeepReadonly<PodSecurityContext>, spec: DeepReadonly<PodSpec>, path: string, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [i, { name = '' }] of (context.sysctls ?? []).entries()) {
    const at = `${path}[${i}].name`;
    if (name === '') errors.required(at);
    else if (name.length > 253 || !sysctlRegex.test(name))
      errors.invalid(at, name, `must have at most 253 characters and match regex ${sysctlFormat}`);
    else if (seen.has(name)) errors.duplicate(at, name);
    const namespace = sysctlNamespace(name);
    if (spec.hostNetwork && namespace === 'net') errors.invalid(at, name, "may not be specified when 'hostNetwork' is true");
    else if (spec.hostIPC && namespace === 'ipc') errors.invalid(at, name, "may not be specified when 'hostIPC' is true");
    seen.add(name);
  }
}

export function validatePodSecurityContext(spec: DeepReadonly<PodSpec>, path: string, errors: FieldErrors): void {
  const context = spec.securityContext;
  if (context === undefined) return;
  if (context.fsGroup !== undefined) invalidEach(errors, `${path}.fsGroup`, context.fsGroup, isValidGroupID(context.fsGroup));
  validateIds(context, path, errors);
  for (const [i, id] of (context.supplementalGroups ?? []).entries()) {
    invalidEach(errors, `${path}.supplementalGroups[${i}]`, id, isValidGroupID(id));
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    errors.invalid(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled');
  }
  validateSysctls(context, spec, `${path}.sysctls`, errors);
  const oneOf = (field: 'fsGroupChangePolicy' | 'supplementalGroupsPolicy' | 'seLinuxChangePolicy', supported: string[]): void => {
    const value = context[field];
    if (value !== undefined && !supported.includes(value)) errors.notSupported(`${path}.${field}`, value, supported);
  };
  oneOf('fsGroupChangePolicy', ['Always', 'OnRootMismatch']);
  validateSeccompProfile(context.seccompProfile, `${path}.seccompProfile`, errors);
  validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`, errors);
  validateAppArmorProfile(context.appArmorProfile, `${path}.appArmorProfile`, errors);
  oneOf('supplementalGroupsPolicy', ['Merge', 'Strict']);
  // MountOption is beta and off (KEP-1710).
  oneOf('seLinuxChangePolicy', ['Recursive']);
}

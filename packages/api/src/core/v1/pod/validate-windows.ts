import { type DeepReadonly, type FieldErrors, isDNS1123Subdomain } from '@skiff/apimachinery';
import type { PodSpec, WindowsSecurityContextOptions } from '../../../generated/types/core-v1.ts';
import { invalidEach } from '../../../validation.ts';
import { containersWithPaths } from './containers.ts';

const dnsPart = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const netBiosDomain = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsDomain = new RegExp(`^${dnsPart}(?:\\.${dnsPart})*$`);
const hasControlCharacter = (text: string): boolean => Array.from(text).some((c) => c < ' ' || c === '\u007f');

export function validateWindowsOptions(
  options: DeepReadonly<WindowsSecurityContextOptions> | undefined,
  path: string,
  errors: FieldErrors,
): void {
  if (options === undefined) return;
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  if (gmsaCredentialSpecName !== undefined) {
    invalidEach(errors, `${path}.gmsaCredentialSpecName`, gmsaCredentialSpecName, isDNS1123Subdomain(gmsaCredentialSpecName));
  }
  if (gmsaCredentialSpec === '') errors.invalid(`${path}.gmsaCredentialSpec`, '', 'gmsaCredentialSpec cannot be an empty string');
  else if (Buffer.byteLength(gmsaCredentialSpec ?? '') > 64 * 1024) {
    errors.invalid(`${path}.gmsaCredentialSpec`, gmsaCredentialSpec, 'gmsaCredentialSpec size must be under 64 KiB');
  }
  if (runAsUserName !== undefined) {
    invalidEach(
      errors,
      `${path}.runAsUserName`,
      runAsUserName,
      userNameComplaints(runAsUserName).map((c) => `runAsUserName${c}`),
    );
  }
}

function userNameComplaints(name: string): string[] {
  if (name === '') return [' cannot be an empty string'];
  if (hasControlCharacter(name)) return [' cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return [' cannot contain more than one backslash'];
  const user = parts.at(-1) ?? '';
  const domain = parts.length === 2 ? (parts[0] ?? '') : undefined;
  const complaints: string[] = [];
  if ((domain ?? '').length >= 256) complaints.push("'s Domain length must be under 256 characters");
  if (domain !== undefined && !netBiosDomain.test(domain) && !dnsDomain.test(domain)) {
    complaints.push("'s Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === '') complaints.push("'s User cannot be empty");
  else if (user.length > 104) complaints.push("'s User length must not be longer than 104 characters");
  if (/^[. ]+$/.test(user)) complaints.push("'s User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) complaints.push('\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  return complaints;
}

/** HostProcess is all or nothing, and comes with the host's network. */
export function validateHostProcess(spec: DeepReadonly<PodSpec>, path: string, errors: FieldErrors): void {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  const containers = containersWithPaths(spec, path);
  let count = 0;
  for (const { container, path: at } of containers) {
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && ofPod !== own) {
      const detail = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
      errors.invalid(`${at}.securityContext.windowsOptions.hostProcess`, own, detail);
    }
    if (own ?? ofPod) count++;
  }
  if (count === 0) return;
  if (count !== containers.length) {
    errors.invalid(path, '', 'If pod contains any hostProcess containers then all containers must be HostProcess containers');
  }
  if (!spec.hostNetwork)
    errors.invalid(`${path}.hostNetwork`, false, 'hostNetwork must be true if pod contains any hostProcess containers');
}

const podFieldsForbidden = [
  'appArmorProfile',
  'seLinuxOptions',
  'hostUsers',
  'hostPID',
  'hostIPC',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'shareProcessNamespace',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;
const specFields = new Set(['hostUsers', 'hostPID', 'hostIPC', 'shareProcessNamespace']);
const containerFieldsForbidden = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

const isSet = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && !(Array.isArray(value) && value.length === 0);

/** `spec.os` says which fields make sense at all. */
export function validateOS(spec: DeepReadonly<PodSpec>, path: string, errors: FieldErrors): void {
  if (spec.os === undefined) return;
  const { name } = spec.os;
  if (!name) errors.required(`${path}.os.name`);
  else if (name === 'linux') validateLinux(spec, path, errors);
  else if (name === 'windows') validateWindows(spec, path, errors);
  else errors.notSupported(`${path}.os`, name, ['linux', 'windows']);
}

function validateLinux(spec: DeepReadonly<PodSpec>, path: string, errors: FieldErrors): void {
  const detail = 'windows options cannot be set for a linux pod';
  if (spec.securityContext?.windowsOptions) errors.forbidden(`${path}.securityContext.windowsOptions`, detail);
  for (const { container, path: at } of containersWithPaths(spec, path)) {
    if (container.securityContext?.windowsOptions) errors.forbidden(`${at}.securityContext.windowsOptions`, detail);
  }
}

function validateWindows(spec: DeepReadonly<PodSpec>, path: string, errors: FieldErrors): void {
  const detail = 'cannot be set for a windows pod';
  const ofSpec = spec as Readonly<Record<string, unknown>>;
  const ofContext = (spec.securityContext ?? {}) as Readonly<Record<string, unknown>>;
  for (const field of podFieldsForbidden) {
    const inSpec = specFields.has(field);
    const value = inSpec ? ofSpec[field] : ofContext[field];
    // Pointers count when they are there, flags when they are true.
    const set = field === 'hostUsers' || field === 'shareProcessNamespace' ? value !== undefined : isSet(value);
    if (set) errors.forbidden(inSpec ? `${path}.${field}` : `${path}.securityContext.${field}`, detail);
  }
  for (const { container, path: at } of containersWithPaths(spec, path)) {
    for (const field of containerFieldsForbidden) {
      if (container.securityContext?.[field] !== undefined) errors.forbidden(`${at}.securityContext.${field}`, detail);
    }
  }
}

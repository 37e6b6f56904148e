import { type FieldErrors, isIPv6, parseIP, validateLegacyIP } from '@skiff/apimachinery';
import { passes } from '../../../validation.ts';
import { isHeadless, needsClusterIP, type Spec } from './service-fields.ts';

/** True for one address of each family, when there are several. */
function isDualStack(ips: readonly string[]): boolean {
  const families = new Set(ips.map((ip) => parseIP(ip)?.family));
  return families.has(4) && families.has(6) && ips.length === 2;
}

/** clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy among each other; whether the cluster has them is for allocation to say. */
export function validateClusterIPs(spec: Spec, errors: FieldErrors, old?: Spec): void {
  if (!needsClusterIP(spec)) return;
  const ips = spec.clusterIPs ?? [];
  const path = 'spec.clusterIPs';
  if (!spec.clusterIP) {
    if (ips.length > 0) errors.invalid(path, ips, 'must be empty when `clusterIP` is not specified');
  } else if (ips.length === 0) errors.required(path);
  else if (ips[0] !== spec.clusterIP) errors.invalid(path, ips, 'first value must match `clusterIP`');
  validateFamilies(spec, errors);
  if (!passes(errors, () => validateAddresses(ips, old?.clusterIPs ?? [], errors))) return;
  if (ips.length > 2) errors.invalid(path, ips, 'may only hold up to 2 values');
  if (ips.length > 1 && !isDualStack(ips)) errors.invalid(path, ips, 'may specify no more than one IP for each IP family');
  if (isHeadless(spec)) return;
  for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
    const ip = ips[i];
    if (ip === undefined) break;
    const expected = isIPv6(ip) ? 'IPv6' : 'IPv4';
    if ((family === 'IPv4' || family === 'IPv6') && family !== expected) {
      errors.invalid(`${path}[${i}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``);
    }
  }
}

function validateFamilies(spec: Spec, errors: FieldErrors): void {
  const families = spec.ipFamilies ?? [];
  for (const [i, family] of families.entries()) {
    const at = `spec.ipFamilies[${i}]`;
    if (family !== 'IPv4' && family !== 'IPv6') errors.notSupported(at, family, ['IPv4', 'IPv6']);
    if (families.indexOf(family) < i) errors.duplicate(at, family);
  }
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  if (spec.ipFamilyPolicy !== undefined && !policies.includes(spec.ipFamilyPolicy)) {
    errors.notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, policies);
  }
}

function validateAddresses(ips: readonly string[], stored: readonly string[], errors: FieldErrors): void {
  for (const [i, ip] of ips.entries()) {
    if (i > 0 || ip !== 'None') validateLegacyIP(ip, `spec.clusterIPs[${i}]`, errors, stored);
    else if (ips.length > 1) errors.invalid('spec.clusterIPs', ips, "'None' must be the first and only value");
  }
}

const unchangeable = 'may not change once set';

/** A second address may come and go; the first stays, unless the Service becomes an ExternalName or was one. */
export function validateClusterIPsUpdate(spec: Spec, old: Spec, errors: FieldErrors): void {
  if (!needsClusterIP(spec) || !needsClusterIP(old) || (isHeadless(old) && isHeadless(spec))) return;
  const [ips, before] = [spec.clusterIPs ?? [], old.clusterIPs ?? []];
  if (ips.length === before.length) {
    for (const [i, ip] of before.entries()) if (ip !== ips[i]) errors.invalid(`spec.clusterIPs[${i}]`, ips, unchangeable);
    return;
  }
  if (ips.length === 0) errors.invalid('spec.clusterIPs[0]', spec.clusterIPs, 'primary clusterIP can not be unset');
  else if (before.length > 0 && ips[0] !== before[0]) errors.invalid('spec.clusterIPs[0]', ips, unchangeable);
  if (ips.length < before.length && ips.length === 1) mustBeSingleStack(spec, 'clusterIP', errors);
}

function mustBeSingleStack(spec: Spec, released: 'clusterIP' | 'ipFamily', errors: FieldErrors): void {
  if (spec.ipFamilyPolicy === 'SingleStack') return;
  errors.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, `must be set to 'SingleStack' when releasing the secondary ${released}`);
}

export function validateIPFamiliesUpdate(spec: Spec, old: Spec, errors: FieldErrors): void {
  if (!needsClusterIP(spec) || !needsClusterIP(old) || isHeadless(old) || isHeadless(spec)) return;
  const [families, before] = [spec.ipFamilies ?? [], old.ipFamilies ?? []];
  const path = 'spec.ipFamilies[0]';
  if (families.length === before.length) {
    for (const [i, family] of before.entries()) if (family !== families[i]) errors.invalid(path, families, unchangeable);
    return;
  }
  const fewer = families.length < before.length;
  if (fewer && (spec.clusterIPs ?? []).length === 0) errors.invalid(path, spec.ipFamilies, 'primary ipFamily can not be unset');
  if (families.length > 0 && before.length > 0 && families[0] !== before[0]) errors.invalid(path, spec.clusterIPs, unchangeable);
  if (fewer && families.length === 1) mustBeSingleStack(spec, 'ipFamily', errors);
}

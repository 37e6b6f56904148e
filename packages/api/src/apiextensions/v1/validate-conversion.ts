import { X509Certificate } from 'node:crypto';
import { type DeepReadonly, type FieldErrors, isDNS1035Label, isValidPortNum } from '@skiff/apimachinery';
import { validateWebhookPath, validateWebhookUrl } from '../../admissionregistration/v1/webhooks.ts';
import type { CustomResourceConversion, CustomResourceDefinition } from '../../generated/types/apiextensions-v1.ts';

type Conversion = DeepReadonly<CustomResourceConversion>;

/** What is asked of new definitions, and of those changed that fulfilled it before. */
export interface ConversionChecks {
  readonly knownReviewVersion: boolean;
  readonly caBundle: boolean;
}

const reviewVersions = ['v1', 'v1beta1'];
const knows = (versions: readonly string[] | undefined): boolean => (versions ?? []).some((v) => reviewVersions.includes(v));

/** Why a bundle holds no certificates; undefined: it does. */
function bundleError(base64: string): string | undefined {
  const pem = Buffer.from(base64, 'base64').toString('utf8');
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (error) {
    return `unable to load root certificates: ${(error as Error).message}`;
  }
  return blocks.length === 0 ? 'unable to load root certificates: unable to parse bytes as PEM block' : undefined;
}

/** A definition that was wrong before may stay so. */
export function conversionChecksOf(old: DeepReadonly<CustomResourceDefinition>, established: boolean): ConversionChecks {
  const webhook = old.spec.conversion?.webhook;
  const before = webhook?.conversionReviewVersions ?? [];
  const bundle = webhook?.clientConfig?.caBundle;
  return {
    knownReviewVersion: before.length === 0 || knows(before),
    caBundle: established && (!bundle || bundleError(bundle) === undefined),
  };
}

function validateClientConfig(webhook: Conversion['webhook'], checks: ConversionChecks, errors: FieldErrors): void {
  const field = 'spec.conversion.webhookClientConfig';
  const config = webhook?.clientConfig;
  if (config === undefined) return errors.required(field, 'required when strategy is set to Webhook');
  const { url, service, caBundle } = config;
  if ((url === undefined) === (service === undefined)) errors.required(field, 'exactly one of url or service is required');
  else if (url !== undefined) validateWebhookUrl(url, `${field}.url`, errors);
  else if (service !== undefined) {
    if (!service.name) errors.required(`${field}.service.name`);
    if (!service.namespace) errors.required(`${field}.service.namespace`);
    const port = service.port ?? 443;
    const bad = isValidPortNum(port);
    if (bad.length > 0) errors.invalid(`${field}.service.port`, port, `port is not valid: ${bad.join(', ')}`);
    validateWebhookPath(service.path, `${field}.service.path`, errors);
  }
  const problem = caBundle && checks.caBundle ? bundleError(caBundle) : undefined;
  if (problem !== undefined) errors.invalid(`${field}.caBundle`, caBundle, problem);
}

function validateReviewVersions(versions: readonly string[], checks: ConversionChecks, errors: FieldErrors): void {
  const field = 'spec.conversion.conversionReviewVersions';
  if (versions.length === 0) return errors.required(field);
  for (const [i, version] of versions.entries()) {
    if (versions.indexOf(version) < i) {
      errors.invalid(`${field}[${i}]`, version, 'duplicate version');
      continue;
    }
    for (const bad of isDNS1035Label(version)) errors.invalid(`${field}[${i}]`, version, bad);
  }
  if (checks.knownReviewVersion && !knows(versions))
    errors.invalid(field, versions, `must include at least one of ${reviewVersions.join(', ')}`);
}

/** `spec.conversion`; errors name the fields as upstream's internal type has them. */
export function validateConversion(conversion: Conversion | undefined, checks: ConversionChecks, errors: FieldErrors): void {
  if (conversion === undefined) return;
  const { strategy, webhook } = conversion;
  const at = 'spec.conversion';
  if (!strategy) errors.required(`${at}.strategy`);
  else if (strategy !== 'None' && strategy !== 'Webhook') errors.notSupported(`${at}.strategy`, strategy, ['None', 'Webhook']);
  if (strategy === 'Webhook') {
    validateClientConfig(webhook, checks, errors);
    validateReviewVersions(webhook?.conversionReviewVersions ?? [], checks, errors);
    return;
  }
  if (webhook?.clientConfig !== undefined)
    errors.forbidden(`${at}.webhookClientConfig`, 'should not be set when strategy is not set to Webhook');
  if ((webhook?.conversionReviewVersions ?? []).length > 0)
    errors.forbidden(`${at}.conversionReviewVersions`, 'should not be set when strategy is not set to Webhook');
}

import { type DeepReadonly, type FieldErrors, isHTTPHeaderName, isValidPortName, isValidPortNum } from '@skiff/apimachinery';
import type { HTTPGetAction, Lifecycle, LifecycleHandler, PodSpec, Probe, ProbeHandler } from '../../../generated/types/core-v1.ts';
import { invalidEach, nonNegative, requireText, supportedOnly } from '../../../validation.ts';

type Handler = DeepReadonly<ProbeHandler & LifecycleHandler>;

/** A container port by number or by name. */
export function validatePortNumOrName(port: number | string | undefined, path: string, errors: FieldErrors): void {
  if (typeof port === 'string') invalidEach(errors, path, port, isValidPortName(port));
  else invalidEach(errors, path, port ?? 0, isValidPortNum(port ?? 0));
}

function validateHTTPGet(action: DeepReadonly<HTTPGetAction>, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.path`, action.path);
  validatePortNumOrName(action.port, `${path}.port`, errors);
  supportedOnly(errors, `${path}.scheme`, action.scheme, ['HTTP', 'HTTPS']);
  for (const { name } of action.httpHeaders ?? []) invalidEach(errors, `${path}.httpHeaders`, name, isHTTPHeaderName(name));
}

/** Checks of each handler type, in the order in which upstream looks for them. Only the first one given is checked. */
function handlerChecks(
  handler: Handler,
  graceSeconds: number | undefined,
  errors: FieldErrors,
): [name: string, check: (path: string) => void][] {
  const checks: [string, (path: string) => void][] = [];
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec) checks.push(['exec', (path) => void ((exec.command ?? []).length === 0 && errors.required(`${path}.command`))]);
  if (httpGet) checks.push(['httpGet', (path) => validateHTTPGet(httpGet, path, errors)]);
  if (tcpSocket) checks.push(['tcpSocket', (path) => validatePortNumOrName(tcpSocket.port, `${path}.port`, errors)]);
  if (grpc) checks.push(['grpc', (path) => validatePortNumOrName(grpc.port, `${path}.port`, errors)]);
  if (sleep) {
    checks.push([
      'sleep',
      (path) => {
        if (graceSeconds !== undefined && (sleep.seconds < 0 || sleep.seconds > graceSeconds)) {
          errors.invalid(path, sleep.seconds, `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`);
        }
      },
    ]);
  }
  return checks;
}

function validateHandler(handler: Handler, graceSeconds: number | undefined, path: string, errors: FieldErrors): void {
  const checks = handlerChecks(handler, graceSeconds, errors);
  for (const [i, [name, check]] of checks.entries()) {
    if (i === 0) check(`${path}.${name}`);
    else errors.forbidden(`${path}.${name}`, 'may not specify more than 1 handler type');
  }
  if (checks.length === 0) errors.required(path, 'must specify a handler type');
}

const probeKinds = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
type Probes = { readonly [K in (typeof probeKinds)[number]]?: DeepReadonly<Probe> };

export function validateProbes(probes: Probes, graceSeconds: number | undefined, path: string, errors: FieldErrors): void {
  for (const kind of probeKinds) {
    const probe = probes[kind];
    if (probe === undefined) continue;
    const at = `${path}.${kind}`;
    validateHandler(probe, graceSeconds, at, errors);
    for (const field of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) {
      nonNegative(errors, `${at}.${field}`, probe[field]);
    }
    const grace = probe.terminationGracePeriodSeconds;
    if (grace !== undefined && grace <= 0) errors.invalid(`${at}.terminationGracePeriodSeconds`, grace, 'must be greater than 0');
    if (kind === 'readinessProbe') {
      if (grace !== undefined) errors.invalid(`${at}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes');
    } else if (probe.successThreshold !== 1) errors.invalid(`${at}.successThreshold`, probe.successThreshold ?? 0, 'must be 1');
  }
}

export function forbidProbes(container: Probes & { readonly lifecycle?: unknown }, path: string, errors: FieldErrors): void {
  for (const field of ['lifecycle', ...probeKinds] as const) {
    if (container[field] !== undefined)
      errors.forbidden(`${path}.${field}`, 'may not be set for init containers without restartPolicy=Always');
  }
}

export function validateLifecycle(
  lifecycle: DeepReadonly<Lifecycle> | undefined,
  graceSeconds: DeepReadonly<PodSpec>['terminationGracePeriodSeconds'],
  path: string,
  errors: FieldErrors,
): void {
  if (lifecycle?.postStart) validateHandler(lifecycle.postStart, graceSeconds, `${path}.postStart`, errors);
  if (lifecycle?.preStop) validateHandler(lifecycle.preStop, graceSeconds, `${path}.preStop`, errors);
}

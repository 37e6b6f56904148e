import type { DeepReadonly, ResourceStrategy, StrategyContext } from '@skiff/apimachinery';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../generated/types/certificates-v1.ts';
import { keepField } from '../../spec-and-status.ts';
import { validateCSR, validateCSRUpdate } from './validate.ts';

type CSR = CertificateSigningRequest;

export const csrStrategy: ResourceStrategy<CSR> = {
  validateName: () => [],
  /** Who asks is what the server knows, never what the client writes. */
  prepareForCreate(draft, { user }) {
    const spec = draft.spec;
    spec.username = user.name;
    spec.groups = [...user.groups];
    delete spec.uid;
    if (user.uid) spec.uid = user.uid;
    delete spec.extra;
    const extra = Object.entries(user.extra ?? {});
    if (extra.length > 0) spec.extra = Object.fromEntries(extra.map(([key, values]) => [key, [...values]]));
    draft.status = {};
  },
  /** Only metadata changes here: a request is what it was when it was made. */
  prepareForUpdate(draft, old) {
    keepField(draft, old, 'spec');
    keepField(draft, old, 'status');
  },
  validate: (csr, errors) => validateCSR(csr, errors),
  validateUpdate: (csr, old, errors) => validateCSRUpdate(csr, old, {}, errors),
};

function fillConditionTimes(draft: CSR, old: DeepReadonly<CSR>, { now }: StrategyContext): void {
  for (const condition of draft.status?.conditions ?? []) {
    condition.lastUpdateTime ||= now;
    if (condition.lastTransitionTime) continue;
    const before = (old.status?.conditions ?? []).find((c) => c.type === condition.type && c.status === condition.status);
    condition.lastTransitionTime = before?.lastTransitionTime ?? now;
  }
}

const indices = (conditions: readonly DeepReadonly<CertificateSigningRequestCondition>[], type: string): number[] =>
  conditions.flatMap((c, i) => (c.type === type ? [i] : []));

/** A signer's status write leaves approvals and denials as they are; when their number differs, validation refuses it. */
function keepConditions(draft: CSR, old: DeepReadonly<CSR>, type: 'Approved' | 'Denied'): void {
  const before = old.status?.conditions ?? [];
  const conditions = draft.status?.conditions ?? [];
  const oldIndices = indices(before, type);
  const newIndices = indices(conditions, type);
  if (oldIndices.length !== newIndices.length) return;
  for (const [n, index] of newIndices.entries())
    conditions[index] = structuredClone(before[oldIndices[n] ?? 0]) as CertificateSigningRequestCondition;
}

export const csrStatusStrategy: ResourceStrategy<CSR> = {
  prepareForUpdate(draft, old, context) {
    keepField(draft, old, 'spec');
    keepConditions(draft, old, 'Approved');
    keepConditions(draft, old, 'Denied');
    fillConditionTimes(draft, old, context);
  },
  validateUpdate: (csr, old, errors) => validateCSRUpdate(csr, old, { certificate: true }, errors),
};

/** Only conditions change here. */
export const csrApprovalStrategy: ResourceStrategy<CSR> = {
  prepareForUpdate(draft, old, context) {
    fillConditionTimes(draft, old, context);
    const conditions = draft.status?.conditions;
    keepField(draft, old, 'spec');
    keepField(draft, old, 'status');
    if (conditions === undefined) delete draft.status?.conditions;
    else (draft.status ??= {}).conditions = conditions;
  },
  validateUpdate: (csr, old, errors) => validateCSRUpdate(csr, old, { approval: true }, errors),
};

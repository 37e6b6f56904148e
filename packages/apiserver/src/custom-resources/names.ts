import type { CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionNames } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { hasCondition } from './definitions.ts';

type CRD = DeepReadonly<CustomResourceDefinition>;
type Condition = CustomResourceDefinitionCondition;

const stringsEqual = (a: readonly string[] = [], b: readonly string[] = []): boolean =>
  a.length === b.length && a.every((v, i) => v === b[i]);

/** Names that definitions of a group hold already: resources (plural, singular, short) and kinds. */
function takenNames(others: readonly CRD[]): { readonly resources: ReadonlySet<string>; readonly kinds: ReadonlySet<string> } {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const other of others) {
    const names = other.status?.acceptedNames;
    for (const name of [names?.plural, names?.singular, ...(names?.shortNames ?? [])]) if (name) resources.add(name);
    for (const name of [names?.kind, names?.listKind]) if (name) kinds.add(name);
  }
  return { resources, kinds };
}

/** A condition whose time of change stays while its status does. */
function withCondition(all: readonly DeepReadonly<Condition>[], next: Omit<Condition, 'lastTransitionTime'>, now: string): Condition[] {
  const before = all.find((c) => c.type === next.type);
  const since = before?.status === next.status ? (before.lastTransitionTime ?? now) : now;
  const condition: Condition = { ...next, lastTransitionTime: since };
  if (before === undefined) return [...all.map((c) => ({ ...c })), condition];
  return all.map((c) => (c.type === next.type ? condition : { ...c }));
}

export interface NamingResult {
  readonly acceptedNames: CustomResourceDefinitionNames;
  readonly conditions: Condition[];
}

/**
 * Which names a definition gets beside the others of its group: what it has it keeps, what is free it takes. It is established once
 * all its names were accepted, and stays so (upstream's naming and establishing controllers).
 */
export function decideNames(crd: CRD, others: readonly CRD[], now: string): NamingResult {
  const { resources, kinds } = takenNames(others);
  const wanted = crd.spec.names;
  const accepted: CustomResourceDefinitionNames = structuredClone(
    crd.status?.acceptedNames ?? { plural: '', kind: '' },
  ) as CustomResourceDefinitionNames;
  let problem: { reason: string; message: string } | undefined;
  const free = (name: string, mine: string | undefined, taken: ReadonlySet<string>): boolean => name === mine || !taken.has(name);
  const complain = (reason: string, names: readonly string[]): void => {
    const messages = names.map((name) => `"${name}" is already in use`);
    problem = { reason, message: messages.length === 1 ? (messages[0] ?? '') : `[${messages.join(', ')}]` };
  };
  const take = (field: 'plural' | 'singular' | 'kind' | 'listKind', reason: string, taken: ReadonlySet<string>): void => {
    const name = wanted[field] ?? '';
    if (free(name, accepted[field], taken)) accepted[field] = name;
    else complain(reason, [name]);
  };
  take('plural', 'PluralConflict', resources);
  take('singular', 'SingularConflict', resources);
  const mine = new Set(accepted.shortNames ?? []);
  const conflicting = (wanted.shortNames ?? []).filter((name) => !mine.has(name) && resources.has(name));
  if (conflicting.length > 0) complain('ShortNamesConflict', conflicting);
  else if (!stringsEqual(wanted.shortNames, accepted.shortNames)) setList(accepted, 'shortNames', wanted.shortNames);
  take('kind', 'KindConflict', kinds);
  take('listKind', 'ListKindConflict', kinds);
  setList(accepted, 'categories', wanted.categories);
  let conditions = withCondition(
    crd.status?.conditions ?? [],
    problem === undefined
      ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type: 'NamesAccepted', status: 'False', ...problem },
    now,
  );
  if (!hasCondition(crd, 'Established')) {
    conditions = withCondition(
      conditions,
      problem === undefined
        ? { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
        : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' },
      now,
    );
  }
  return { acceptedNames: accepted, conditions };
}

function setList(names: CustomResourceDefinitionNames, field: 'shortNames' | 'categories', value: readonly string[] | undefined): void {
  if (value === undefined) delete names[field];
  else names[field] = [...value];
}

/** Sets a condition in a draft's status. */
export function setCondition(draft: CustomResourceDefinition, condition: Omit<Condition, 'lastTransitionTime'>, now: string): void {
  const status = (draft.status ??= {});
  status.conditions = withCondition(status.conditions ?? [], condition, now);
}

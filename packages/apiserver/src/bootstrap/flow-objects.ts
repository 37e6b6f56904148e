import { isDeepStrictEqual } from 'node:util';
import {
  autoUpdateSpecAnnotation,
  flowSchema,
  mandatoryFlowSchemas,
  mandatoryPriorityLevels,
  priorityLevelConfiguration,
  suggestedFlowSchemas,
  suggestedPriorityLevels,
} from '@skiff/api';
import type { DeepReadonly, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import type { ObjectAccess } from '../contract.ts';
import { ensureObject } from './ensure.ts';

type Specified = KubeObject & { spec?: unknown };

/** `true` and `false` in all spellings that upstream takes; undefined for anything else. */
function parseBoolean(text: string | undefined): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text ?? '')) return true;
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text ?? '') ? false : undefined;
}

/** Suggested objects are kept as long as nobody has changed them, or as their annotation says. */
export function keepsSpec(object: DeepReadonly<Specified>, mandatory: boolean): boolean {
  if (mandatory) return true;
  return parseBoolean(object.metadata?.annotations?.[autoUpdateSpecAnnotation]) ?? object.metadata?.generation === 1;
}

/** Of `exempt` administrators may change its shares. */
function withExemptShares(wanted: Specified, draft: Specified): unknown {
  const exempt = (draft.spec as { exempt?: unknown } | undefined)?.exempt;
  return wanted.metadata?.name === 'exempt' && wanted.kind === 'PriorityLevelConfiguration' && exempt !== undefined
    ? { ...(wanted.spec as object), exempt }
    : wanted.spec;
}

function adjust(draft: Specified, wanted: Specified, mandatory: boolean): boolean {
  const keeps = keepsSpec(draft, mandatory);
  const spec = withExemptShares(wanted, draft);
  let changed = false;
  if (keeps && !isDeepStrictEqual(draft.spec, spec)) {
    draft.spec = structuredClone(spec);
    changed = true;
  }
  const metadata = (draft.metadata ??= {});
  if (parseBoolean(metadata.annotations?.[autoUpdateSpecAnnotation]) !== keeps) {
    metadata.annotations = { ...metadata.annotations, [autoUpdateSpecAnnotation]: String(keeps) };
    changed = true;
  }
  return changed;
}

const tables = [
  { definition: priorityLevelConfiguration, mandatory: mandatoryPriorityLevels, suggested: suggestedPriorityLevels },
  { definition: flowSchema, mandatory: mandatoryFlowSchemas, suggested: suggestedFlowSchemas },
] as unknown as readonly {
  readonly definition: ResourceDefinition<Specified>;
  readonly mandatory: readonly Specified[];
  readonly suggested: readonly Specified[];
}[];

/** Makes the FlowSchemas and PriorityLevelConfigurations that every cluster has, and removes those that earlier versions made. */
export async function ensureFlowObjects(objects: ObjectAccess): Promise<void> {
  for (const { definition, mandatory, suggested } of tables) {
    const ensure = (wanted: Specified, isMandatory: boolean): Promise<void> =>
      ensureObject<Specified>(objects, definition, structuredClone(wanted), (draft) => adjust(draft, wanted, isMandatory));
    await Promise.all([...suggested.map((o) => ensure(o, false)), ...mandatory.map((o) => ensure(o, true))]);
  }
  for (const { definition, mandatory, suggested } of [...tables].reverse()) {
    const known = new Set([...mandatory, ...suggested].map((o) => o.metadata?.name));
    for (const object of objects.list(definition)) {
      const { name = '', uid, annotations } = object.metadata ?? {};
      if (known.has(name) || parseBoolean(annotations?.[autoUpdateSpecAnnotation]) !== true) continue;
      await objects.delete(definition, '', name, uid === undefined ? {} : { uid });
    }
  }
}

const settleMs = 1000;

/** Puts back what is changed or deleted of them. */
export async function runFlowObjects(deps: { objects: ObjectAccess; clock: Clock; log: Logger }, signal: AbortSignal): Promise<void> {
  const { objects, clock, log } = deps;
  let changed = false;
  let notify: () => void = () => undefined;
  const wake = (): void => {
    changed = true;
    notify();
  };
  using _levels = objects.subscribe(priorityLevelConfiguration, wake);
  using _schemas = objects.subscribe(flowSchema, wake);
  signal.addEventListener('abort', wake, { once: true });
  while (!signal.aborted) {
    if (!changed)
      await new Promise<void>((resolve) => {
        notify = resolve;
      });
    if (signal.aborted) return;
    try {
      await clock.sleep(settleMs, signal);
    } catch {
      return;
    }
    changed = false;
    try {
      await ensureFlowObjects(objects);
    } catch (error) {
      log.warn({ err: error }, 'FlowSchemas and PriorityLevelConfigurations could not be put back; trying again');
      changed = true;
    }
  }
}

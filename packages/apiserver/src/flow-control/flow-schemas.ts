import type { FlowSchema, PriorityLevelConfiguration } from '@skiff/api';
import { mandatoryFlowSchemas, mandatoryPriorityLevels } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import { FlowStatistics } from './flow-statistics.ts';
import { compileRules, type Matcher } from './match.ts';
import type { TurnGate } from './turn-gate.ts';
import { createPriorityLevel, type PriorityLevel, queuingOf, setNominalSeats } from './priority-level.ts';

/** A FlowSchema at work. */
export interface ActiveSchema {
  readonly name: string;
  readonly uid: string;
  readonly precedence: number;
  readonly distinguisher: 'ByUser' | 'ByNamespace' | undefined;
  readonly level: PriorityLevel;
  readonly matches: Matcher;
  readonly statistics: FlowStatistics;
}

/** What requests are judged by. */
export interface FlowConfiguration {
  /** In the order in which they are tried; the last takes everything. */
  readonly schemas: readonly ActiveSchema[];
  readonly levels: ReadonlyMap<string, PriorityLevel>;
  /** Names of FlowSchemas whose priority level is not there. */
  readonly dangling: ReadonlySet<string>;
}

export interface DigestContext {
  readonly serverSeats: number;
  readonly clock: Clock;
  readonly gate: TurnGate;
}

type Level = DeepReadonly<PriorityLevelConfiguration>;
type Schema = DeepReadonly<FlowSchema>;

/** The objects, and the mandatory ones where they are missing. */
function withMandatory<T extends { metadata?: { name?: string } }>(objects: readonly T[], mandatory: readonly T[]): T[] {
  const names = new Set(objects.map((o) => o.metadata?.name));
  return [...objects, ...mandatory.filter((m) => !names.has(m.metadata?.name))];
}

function activeLevels(
  objects: readonly Level[],
  previous: ReadonlyMap<string, PriorityLevel>,
  o: DigestContext,
): Map<string, PriorityLevel> {
  const levels = new Map<string, PriorityLevel>();
  for (const object of withMandatory<Level>(objects, mandatoryPriorityLevels)) {
    const name = object.metadata?.name ?? '';
    const queuing = object.spec === undefined ? undefined : queuingOf(name, object.spec);
    if (object.spec === undefined || queuing === undefined) continue;
    const level = previous.get(name) ?? createPriorityLevel(name, object.spec, { queuing, ...o });
    level.uid = object.metadata?.uid ?? '';
    level.spec = object.spec;
    level.quiescing = false;
    level.hands.clear();
    levels.set(name, level);
  }
  for (const [name, level] of previous) {
    if (levels.has(name) || level.queueSet.idle) continue;
    level.quiescing = true;
    levels.set(name, level);
  }
  setNominalSeats(levels.values(), o.serverSeats);
  return levels;
}

/** Reads all objects anew. What goes on at a level, and what was counted, stays. */
export function digest(
  objects: { levels: readonly Level[]; schemas: readonly Schema[] },
  previous: FlowConfiguration | undefined,
  o: DigestContext,
): FlowConfiguration {
  const levels = activeLevels(objects.levels, previous?.levels ?? new Map(), o);
  const dangling = new Set<string>();
  const schemas: ActiveSchema[] = [];
  for (const object of withMandatory<Schema>(objects.schemas, mandatoryFlowSchemas)) {
    const name = object.metadata?.name ?? '';
    const level = levels.get(object.spec?.priorityLevelConfiguration.name ?? '');
    if (level === undefined || level.quiescing) {
      dangling.add(name);
      continue;
    }
    const method = object.spec?.distinguisherMethod?.type;
    const known = previous?.schemas.find((s) => s.name === name && s.level === level);
    schemas.push({
      name,
      uid: object.metadata?.uid ?? '',
      precedence: object.spec?.matchingPrecedence ?? 1000,
      distinguisher: method === 'ByUser' || method === 'ByNamespace' ? method : undefined,
      level,
      matches: compileRules(object.spec?.rules),
      statistics: known?.statistics ?? new FlowStatistics(),
    });
  }
  schemas.sort((a, b) => a.precedence - b.precedence || (a.name < b.name ? -1 : 1));
  return { schemas, levels, dangling };
}

/** The first that matches; what is left goes to `catch-all`. */
export function classify(configuration: FlowConfiguration, ...request: Parameters<Matcher>): ActiveSchema {
  const { schemas } = configuration;
  const found = schemas.find((s) => s.matches(...request)) ?? schemas.find((s) => s.name === 'catch-all');
  if (found === undefined) throw new Error('there is no FlowSchema for the request, not even catch-all');
  return found;
}

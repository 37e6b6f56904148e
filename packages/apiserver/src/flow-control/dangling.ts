import { flowSchema, type FlowSchema, type FlowSchemaCondition } from '@skiff/api';
import { type DeepReadonly, hasReason } from '@skiff/apimachinery';
import { type Clock, formatTime, type Logger } from '@skiff/component-base';
import type { ObjectAccess } from '../contract.ts';

type Verdict = Pick<Required<FlowSchemaCondition>, 'status' | 'reason' | 'message'>;

function verdictOf(schema: DeepReadonly<FlowSchema>, dangling: boolean): Verdict {
  const reference = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(schema.spec?.priorityLevelConfiguration.name ?? '')}`;
  return dangling
    ? { status: 'True', reason: 'NotFound', message: `${reference} but there is no such object` }
    : { status: 'False', reason: 'Found', message: `${reference} and it exists` };
}

const isSaid = (schema: DeepReadonly<FlowSchema>, v: Verdict): boolean =>
  (schema.status?.conditions ?? []).some(
    (c) => c.type === 'Dangling' && c.status === v.status && c.reason === v.reason && c.message === v.message,
  );

/**
 * Writes the condition Dangling of all FlowSchemas where it is not what it should be. Resolves with true when something went wrong
 * that another try may mend.
 */
export async function syncDangling(
  dangling: ReadonlySet<string>,
  deps: { objects: ObjectAccess; clock: Clock; log: Logger },
): Promise<boolean> {
  let failed = false;
  for (const schema of deps.objects.list(flowSchema)) {
    const name = schema.metadata?.name ?? '';
    if (isSaid(schema, verdictOf(schema, dangling.has(name)))) continue;
    try {
      await deps.objects.update(
        flowSchema,
        '',
        name,
        (draft) => {
          const verdict = verdictOf(draft, dangling.has(name));
          if (isSaid(draft, verdict)) return undefined;
          const others = (draft.status?.conditions ?? []).filter((c) => c.type !== 'Dangling');
          const condition = { type: 'Dangling', ...verdict, lastTransitionTime: formatTime(deps.clock.now()) };
          draft.status = { ...draft.status, conditions: [...others, condition] };
          return draft;
        },
        { subresource: 'status' },
      );
    } catch (error) {
      if (hasReason(error, 'NotFound')) continue;
      failed = true;
      deps.log.warn({ err: error, flowSchema: name }, 'the condition of a FlowSchema could not be written');
    }
  }
  return failed;
}

import type { HorizontalPodAutoscaler } from '@skiff/api';
import { type DeepReadonly, hasReason, parseGroupVersion } from '@skiff/apimachinery';
import { type Client, objectPath, statusErrorOf } from '@skiff/client';
import type { FindResource } from '../find-resource.ts';

/** autoscaling/v1 Scale, as far as it counts here. */
export interface Scale {
  readonly metadata?: { readonly name?: string; readonly resourceVersion?: string };
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number; readonly selector?: string };
}

/** The scale subresource of what an autoscaler is for. */
export interface ScaleTarget {
  readonly scale: Scale;
  /** Tries again where somebody else has changed it meanwhile. */
  resize(replicas: number, signal: AbortSignal): Promise<void>;
}

const resizeTries = 5;

/** Throws when there is no such thing, or it can't be scaled. */
export async function openScaleTarget(
  autoscaler: DeepReadonly<HorizontalPodAutoscaler>,
  deps: { client: Client; findResource: FindResource },
  signal: AbortSignal,
): Promise<ScaleTarget> {
  const { client } = deps;
  const { kind, name, apiVersion = '' } = autoscaler.spec.scaleTargetRef;
  const { group } = parseGroupVersion(apiVersion);
  const resource = await deps.findResource(group, kind, signal);
  if (resource === undefined) throw new Error(`no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`);
  const path = objectPath(resource, { namespace: autoscaler.metadata?.namespace ?? '', name }, 'scale');
  const request = async (method: 'GET' | 'PUT', on: AbortSignal, body?: Scale): Promise<Scale> => {
    const answer = await client.request({ method, path, signal: on, ...(body === undefined ? {} : { body }) });
    if (answer.code >= 400) throw statusErrorOf(answer.code, answer.body);
    return JSON.parse(answer.body.toString('utf8')) as Scale;
  };
  const scale = await request('GET', signal);
  return {
    scale,
    resize: async (replicas, on) => {
      let current = scale;
      for (let i = 1; ; i++) {
        try {
          await request('PUT', on, { ...current, spec: { ...current.spec, replicas } });
          return;
        } catch (error) {
          if (i === resizeTries || !hasReason(error, 'Conflict')) throw error;
          current = await request('GET', on);
        }
      }
    },
  };
}

import { serviceAccount as serviceAccounts, type TokenRequest } from '@skiff/api';
import type { Client } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';

export interface TokenSpec {
  readonly audience: string | undefined;
  readonly expirationSeconds: number;
}

/** Tokens bound to their pod, asked for anew when 80 % of their life (or a day) is over. */
export interface ServiceAccountTokens {
  token(pod: PodSnapshot, spec: TokenSpec, signal: AbortSignal): Promise<string>;
  /** When the first of a pod's tokens is due for renewal, milliseconds since the epoch. */
  nextRenewalMs(podUid: string): number | undefined;
  release(podUid: string): void;
}

interface Held {
  readonly token: string;
  readonly expiresAtMs: number;
  readonly renewAtMs: number;
}

const dayMs = 86_400_000;

export function createServiceAccountTokens(deps: { client: Client; clock: Clock }): ServiceAccountTokens {
  const { client, clock } = deps;
  const held = new Map<string, Map<string, Held>>();

  const request = async (pod: PodSnapshot, spec: TokenSpec, signal: AbortSignal): Promise<Held> => {
    const { namespace, name, uid } = pod.metadata;
    const requestedAtMs = clock.now();
    const body: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: spec.audience === undefined || spec.audience === '' ? [] : [spec.audience],
        expirationSeconds: spec.expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    const answer = await client.createSubresource<TokenRequest, TokenRequest>(
      serviceAccounts,
      { namespace, name: pod.spec.serviceAccountName ?? 'default' },
      'token',
      body,
      { signal },
    );
    const token = answer.status?.token;
    const expiresAtMs = Date.parse(answer.status?.expirationTimestamp ?? '');
    if (token === undefined || Number.isNaN(expiresAtMs)) throw new Error('the API answered a token request without a token');
    const lifeMs = expiresAtMs - requestedAtMs;
    // The spread keeps a node's pods from asking all at once.
    const renewAfterMs = Math.min(lifeMs * 0.8, dayMs) - Math.random() * Math.min(10_000, lifeMs * 0.05);
    return { token, expiresAtMs, renewAtMs: requestedAtMs + renewAfterMs };
  };

  return {
    token: async (pod, spec, signal) => {
      const { uid } = pod.metadata;
      const key = JSON.stringify([pod.spec.serviceAccountName, spec.audience, spec.expirationSeconds]);
      const mine = held.get(uid) ?? new Map<string, Held>();
      held.set(uid, mine);
      const present = mine.get(key);
      if (present !== undefined && clock.now() < present.renewAtMs) return present.token;
      try {
        const fresh = await request(pod, spec, signal);
        mine.set(key, fresh);
        return fresh.token;
      } catch (error) {
        // An old token is better than none while the API is away.
        if (present !== undefined && clock.now() < present.expiresAtMs) return present.token;
        throw error;
      }
    },
    nextRenewalMs: (podUid) => {
      const times = [...(held.get(podUid)?.values() ?? [])].map((h) => h.renewAtMs);
      return times.length === 0 ? undefined : Math.min(...times);
    },
    release: (podUid) => void held.delete(podUid),
  };
}

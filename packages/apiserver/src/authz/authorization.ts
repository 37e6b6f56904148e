import { type Clock, followFile, type Logger } from '@skiff/component-base';
import type { ObjectAccess } from '../contract.ts';
import { createRemoteClient } from '../remote/remote-client.ts';
import { type AuthorizationConfig, type AuthorizerStep, parseAuthorizationConfig } from './authorization-config.ts';
import { type Authorizer, unionAuthorizer } from './authorizer.ts';
import { createNodeAuthorizer } from './node.ts';
import { mastersAuthorizer } from './privileged.ts';
import { createRbacAuthorizer, createRuleResolver, type RuleResolver } from './rbac.ts';
import { createWebhookAuthorizer } from './webhook.ts';

export interface Authorization extends Disposable {
  readonly authorizer: Authorizer;
  /** RBAC's rules, for escalation checks and SelfSubjectRulesReview. */
  readonly rules: RuleResolver;
  /** Those whose rules nobody can list. */
  webhooks(): number;
  /** Uses what the AuthorizationConfiguration says now, when it has changed. Resolves when aborted. */
  follow(signal: AbortSignal): Promise<void>;
}

const graceMs = 60_000;

const always = (decision: 'allow' | 'deny'): Authorizer => ({
  name: decision === 'allow' ? 'AlwaysAllow' : 'AlwaysDeny',
  authorize: () => ({
    decision: decision === 'allow' ? 'allow' : 'no-opinion',
    reason: decision === 'allow' ? '' : 'Everything is forbidden.',
  }),
});

/** The authorizers of a configuration, in its order, behind what always holds: system:masters. */
export function createAuthorization(
  config: AuthorizationConfig,
  deps: { objects: ObjectAccess; clock: Clock; log: Logger },
): Authorization {
  const { objects, clock, log } = deps;
  const rules = createRuleResolver(objects);
  let node: ReturnType<typeof createNodeAuthorizer> | undefined;
  let clients: Disposable[] = [];
  const authorizerOf = (step: AuthorizerStep): Authorizer => {
    switch (step.type) {
      case 'RBAC':
        return createRbacAuthorizer(rules);
      case 'Node':
        node ??= createNodeAuthorizer(objects);
        return node;
      case 'AlwaysAllow':
        return always('allow');
      case 'AlwaysDeny':
        return always('deny');
      case 'Webhook': {
        const client = createRemoteClient(step.server);
        clients.push(client);
        return createWebhookAuthorizer(step.config, { client, clock, log });
      }
    }
  };
  const chainOf = (steps: readonly AuthorizerStep[]): Authorizer => unionAuthorizer([mastersAuthorizer, ...steps.map(authorizerOf)]);
  let chain = chainOf(config.steps);
  return {
    authorizer: { name: 'union', authorize: (a) => chain.authorize(a) },
    rules,
    webhooks: () => clients.length,
    follow: async (signal) => {
      const { file } = config;
      if (file === undefined) return;
      const use = (text: string): void => {
        const steps = parseAuthorizationConfig(text);
        const old = clients;
        clients = [];
        chain = chainOf(steps);
        // Questions that are under way get their answers.
        clock.after(graceMs, () => {
          for (const client of old) client[Symbol.dispose]();
        });
        log.info({ file }, 'the authorization configuration has changed; using the new one');
      };
      const failed = (error: unknown): void =>
        log.error({ err: error, file }, 'the authorization configuration could not be reloaded; keeping the old one');
      await followFile(file, { clock, use, failed }, signal);
    },
    [Symbol.dispose]: () => {
      rules[Symbol.dispose]();
      node?.[Symbol.dispose]();
      for (const client of clients) client[Symbol.dispose]();
    },
  };
}

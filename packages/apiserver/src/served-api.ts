import { builtinResources, builtinSchemas } from '@skiff/api';
import type { Clock, Logger } from '@skiff/component-base';
import type { DurableStore, RevisionedStore } from '@skiff/storage';
import type { AdmissionMetrics } from './admission/admission-metrics.ts';
import type { PolicyMetrics } from './admission/policy/policy-metrics.ts';
import { createAdmissionChain } from './admission/plugin.ts';
import { createWebhookClient, type WebhookTransport } from './admission/webhook/client.ts';
import { createConversionWebhooks } from './custom-resources/conversion-webhook.ts';
import { admissionPlugins } from './admission/plugins.ts';
import { type Authentication, createAuthenticators } from './authn/authenticators.ts';
import type { ExternalAuthentication } from './authn/external.ts';
import type { ServiceAccountKeys } from './authn/service-account-keys.ts';
import { type Authorization, createAuthorization } from './authz/authorization.ts';
import { attributesOf, forbiddenError } from './authz/authorizer.ts';
import type { ApiServerConfig } from './config.ts';
import type { AdmissionChain, HeavyForms, RegistryConfig, RegistryDeps, ResourceRegistry } from './contract.ts';
import { withHandlers } from './dispatch.ts';
import { createComponentStatuses } from './reviews/component-statuses.ts';
import { createReviewHandlers } from './reviews/handlers.ts';
import type { TlsMaterial } from './server/tls-files.ts';

export interface ServedApiDeps {
  readonly store: DurableStore;
  readonly ephemeralStore?: RevisionedStore;
  readonly createRegistry: (config: RegistryConfig, deps: RegistryDeps) => ResourceRegistry;
  readonly formOf?: HeavyForms;
  readonly material: () => TlsMaterial;
  readonly keys: ServiceAccountKeys;
  readonly external?: ExternalAuthentication | undefined;
  /** What carries calls to webhooks. */
  readonly webhooks: Pick<WebhookTransport, 'send'>;
  /** Absent: nobody counts. */
  readonly admissionMetrics?: AdmissionMetrics;
  readonly policyMetrics?: PolicyMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The registry, and what guards it. */
export interface ServedApi {
  readonly registry: ResourceRegistry;
  /** The registry's, and reviews and tokens before them. */
  readonly endpoints: Pick<ResourceRegistry, 'lookup'>;
  readonly authorization: Authorization;
  readonly authentication: Authentication;
  admission(): AdmissionChain;
}

/** Authorizers and admission read through the caches of the registry that they guard. `housekeeping` false: another server sees to compaction and repairs. */
export function createServedApi(config: ApiServerConfig & { readonly housekeeping?: boolean }, deps: ServedApiDeps): ServedApi {
  const { clock, log } = deps;
  const authorizer = { current: undefined as Authorization | undefined };
  const admission = { current: createAdmissionChain([]) as AdmissionChain };
  const webhooks = createWebhookClient(deps.webhooks);
  const convert = createConversionWebhooks({ objects: () => registry.objects, client: () => webhooks });
  const registry: ResourceRegistry = deps.createRegistry(
    {
      definitions: builtinResources,
      schema: builtinSchemas,
      keyPrefix: config.keyPrefix,
      serviceClusterIpRanges: config.serviceClusterIpRanges,
      serviceNodePortRange: config.serviceNodePortRange,
      ...(config.housekeeping === undefined ? {} : { housekeeping: config.housekeeping }),
    },
    {
      store: deps.store,
      ...(deps.ephemeralStore === undefined ? {} : { ephemeralStore: deps.ephemeralStore }),
      clock,
      log: log.child({ part: 'registry' }),
      admission: (objects) => {
        authorizer.current = createAuthorization(config.authorization, { objects, clock, log });
        admission.current = createAdmissionChain(
          admissionPlugins({
            objects,
            authorization: authorizer.current,
            defaultTolerations: config.defaultTolerations,
            config: config.admission,
            clock,
            webhooks: { client: () => webhooks, definitions: () => registry.definitions(), convert },
            policyMetrics: deps.policyMetrics,
            sleep: clock.sleep,
          }),
          deps.admissionMetrics,
        );
        return admission.current;
      },
      ...(deps.formOf === undefined ? {} : { formOf: deps.formOf }),
      convert,
      subresources: () => [],
      authorizeCreate: async (r) => {
        const attributes = { ...attributesOf(r.user, r.info), verb: 'create', name: '' };
        const d = await authorization.authorizer.authorize(attributes);
        if (d.decision !== 'allow') throw forbiddenError(attributes, d.reason);
      },
    },
  );
  const authorization = authorizer.current ?? createAuthorization(config.authorization, { objects: registry.objects, clock, log });
  const authentication = createAuthenticators(config, {
    objects: registry.objects,
    keys: deps.keys.verification,
    external: deps.external,
    material: deps.material,
    nowMs: clock.now,
    log,
  });
  const reviews = createReviewHandlers(config, {
    objects: registry.objects,
    authorization,
    authentication: () => authentication,
    admission: () => admission.current,
    signingKey: deps.keys.signing,
    clock,
  });
  return {
    registry,
    endpoints: withHandlers(registry, [...reviews, createComponentStatuses(config.componentHealth, { store: deps.store, clock })]),
    authorization,
    authentication,
    admission: () => admission.current,
  };
}

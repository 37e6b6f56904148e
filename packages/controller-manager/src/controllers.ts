import type { ControllerDescriptor } from './descriptor.ts';
import { deploymentController } from './controllers/deployment.ts';
import { replicaSetController } from './controllers/replica-set.ts';
import { replicationControllerController } from './controllers/replication-controller.ts';

/** Every control loop. A new one is a file in `controllers/` and a line here. */
export const controllers: readonly ControllerDescriptor[] = [
  deploymentController,
  replicaSetController,
  replicationControllerController,
];

import type { LifecycleHandler } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { RuntimeService } from '@skiff/cri';
import type { ContainerSpec } from '../pod/pod-snapshot.ts';
import { httpGet } from '../probe/http-get.ts';

/** Hooks have no time limit of their own; the caller's signal and the grace period bound them. */
const execLimitMs = 24 * 3_600_000;

/** Carries out a postStart or preStop handler. Throws when it failed, with a message that may hold what the handler said. */
export async function runLifecycleHook(
  handler: DeepReadonly<LifecycleHandler>,
  target: { readonly container: ContainerSpec; readonly containerId: string; readonly podIP: string },
  o: { readonly runtime: RuntimeService; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const { container } = target;
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const { exitCode, stdout, stderr } = await o.runtime.execSync(target.containerId, command, {
      timeoutMs: execLimitMs,
      signal: o.signal,
    });
    if (exitCode !== 0) {
      const said = Buffer.concat([stdout, stderr]).toString().slice(0, 1024);
      throw new Error(
        `Exec lifecycle hook (${JSON.stringify(command)}) for Container "${container.name}" failed - exit code ${exitCode}, message: ${JSON.stringify(said)}`,
      );
    }
  } else if (handler.httpGet !== undefined) {
    const answer = await httpGet(handler.httpGet, { container, podIP: target.podIP, userAgent: 'kube-lifecycle/1.36', signal: o.signal });
    if (answer.code < 200 || answer.code >= 400) {
      throw new Error(`HTTP lifecycle hook for Container "${container.name}" failed - HTTP status ${answer.code}`);
    }
  } else if (handler.sleep !== undefined) {
    await o.clock.sleep(handler.sleep.seconds * 1000, o.signal);
  } else throw new Error(`invalid handler: a lifecycle hook of container "${container.name}" names no action that can be carried out`);
}

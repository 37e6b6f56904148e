import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, kubectls, type RunningCluster } from './support/cluster.ts';
import { get } from './support/http.ts';
import { testImages } from './support/images.ts';

let cluster: RunningCluster;
const folder = mkdtempSync(join(tmpdir(), 'skiff-kubectl-'));
beforeAll(() => {
  cluster = connect(inject('place'));
});
afterAll(() => {
  cluster.client.close();
  rmSync(folder, { recursive: true });
});

const versions = kubectls();

describe.each(versions.map((binary, i) => ({ name: basename(binary), binary, ns: `story-kubectl-${i}` })))('$name', ({ binary, ns }) => {
  const kubectl = (args: string, input?: string): Promise<string> =>
    cluster.kubectl(args, { binary, ...(input === undefined ? {} : { input }) });
  beforeAll(async () => {
    await kubectl(`create namespace ${ns}`);
  });
  afterAll(async () => {
    await cluster.tryKubectl(`delete namespace ${ns} --wait=false`, { binary });
  });

  it('tells about the cluster', async () => {
    expect(await kubectl('cluster-info')).toMatch(/control plane.* is running at .*https:\/\/127\.0\.0\.1/);
    expect(await kubectl('version')).toMatch(/Server Version: (v1\.36|.*GitVersion:"v1\.36)/);
    const resources = await kubectl('api-resources');
    expect(resources).toMatch(/^deployments\s+deploy\s+apps\/v1\s+true\s+Deployment$/m);
    expect(await kubectl('api-versions')).toMatch(/^apps\/v1$/m);
    expect(await kubectl('get nodes -o wide')).toMatch(/Ready\s+.*docker:\/\//);
    expect(await kubectl('auth can-i create pods')).toBe('yes\n');
    expect(await kubectl('explain deployment.spec.replicas')).toMatch(/replicas/);
    // A node whose kubelet was just started anew has no figures yet.
    await eventually('figures of the node', async () => /^\S+\s+\d+m\s+\d+%\s+\d+Mi\s+\d+%/m.test(await kubectl('top node')));
    const denied = await cluster.tryKubectl(`auth can-i create pods --as=system:serviceaccount:${ns}:default`, { binary });
    expect(denied.stdout.trim()).toBe('no');
  });

  it('creates, changes, applies and deletes', async () => {
    expect(await kubectl(`create configmap -n ${ns} c --from-literal=a=1`)).toBe('configmap/c created\n');
    const again = await cluster.tryKubectl(`create configmap -n ${ns} c --from-literal=a=1`, { binary });
    expect(again.stderr).toMatch(/error: failed to create configmap: configmaps "c" already exists/);
    expect(await kubectl(`label -n ${ns} configmap c colour=red`)).toMatch(/labeled/);
    expect(await kubectl(`annotate -n ${ns} configmap c note=here`)).toMatch(/annotate/);
    expect(await kubectl(`patch -n ${ns} configmap c --type=json -p '[{"op":"add","path":"/data/b","value":"2"}]'`)).toMatch(/patched/);
    expect(await kubectl(`patch -n ${ns} configmap c --type=merge -p '{"data":{"a":null}}'`)).toMatch(/patched/);
    expect(await kubectl(`get -n ${ns} configmap c -o jsonpath={.data}`)).toBe('{"b":"2"}');
    expect(await kubectl(`get -n ${ns} configmap -l colour=red -o name`)).toBe('configmap/c\n');
    const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'd' }, data: { a: '1', b: '2' } };
    const file = join(folder, `${ns}.json`);
    writeFileSync(file, JSON.stringify(manifest));
    expect(await kubectl(`apply -n ${ns} -f ${file}`)).toBe('configmap/d created\n');
    expect(await kubectl(`apply -n ${ns} -f ${file}`)).toBe('configmap/d unchanged\n');
    writeFileSync(file, JSON.stringify({ ...manifest, data: { a: '1' } }));
    expect(await kubectl(`apply -n ${ns} -f ${file}`)).toBe('configmap/d configured\n');
    expect(await kubectl(`get -n ${ns} configmap d -o jsonpath={.data}`)).toBe('{"a":"1"}');
    expect(await kubectl(`apply -n ${ns} --server-side --force-conflicts -f ${file}`)).toBe('configmap/d serverside-applied\n');
    const other = JSON.stringify({ ...manifest, data: { a: 'other' } });
    const conflict = await cluster.tryKubectl(`apply -n ${ns} --server-side --field-manager=other -f -`, { binary, input: other });
    expect(conflict.stderr).toMatch(/conflict with "kubectl": \.data\.a/);
    const unknown = JSON.stringify({ ...manifest, spec: { nonsense: true } });
    const strict = await cluster.tryKubectl(`apply -n ${ns} -f -`, { binary, input: unknown });
    expect(strict.stderr).toMatch(/unknown field "spec"/);
    expect(await kubectl(`delete -n ${ns} configmap c d`)).toMatch(/configmap "c" deleted.*\nconfigmap "d" deleted/);
    const gone = await cluster.tryKubectl(`get -n ${ns} configmap c`, { binary });
    expect(gone.stderr).toBe('Error from server (NotFound): configmaps "c" not found\n');
  });

  it('edits with an editor', async () => {
    await kubectl(`create configmap -n ${ns} edited --from-literal=a=before`);
    const editor = join(folder, `editor-${ns}.sh`);
    writeFileSync(editor, '#!/bin/sh\nsed -i s/before/after/ "$1"\n', { mode: 0o755 });
    const result = await new Promise<number | null>((resolve) => {
      spawn(binary, ['--kubeconfig', cluster.kubeconfig, 'edit', '-n', ns, 'configmap', 'edited'], {
        env: { ...process.env, KUBE_EDITOR: editor },
        stdio: 'ignore',
      }).on('close', resolve);
    });
    expect(result).toBe(0);
    expect(await kubectl(`get -n ${ns} configmap edited -o jsonpath={.data.a}`)).toBe('after');
  });

  it('runs, exposes, scales, rolls out and back, describes', async () => {
    expect(await kubectl(`create deployment web -n ${ns} --image=${testImages.web1} --replicas=2 --port=8080`)).toBe(
      'deployment.apps/web created\n',
    );
    expect(await kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`)).toMatch(/successfully rolled out/);
    expect(await kubectl(`get deployment -n ${ns} web --no-headers`)).toMatch(/^web\s+2\/2\s+2\s+2\s+\d+s/);
    expect(await kubectl(`scale -n ${ns} deployment/web --replicas=3`)).toMatch(/scaled/);
    await kubectl(`wait -n ${ns} deployment/web --for=jsonpath={.status.readyReplicas}=3 --timeout=120s`);
    expect(await kubectl(`expose deployment web -n ${ns} --port=80 --target-port=8080`)).toMatch(/exposed/);
    expect(await kubectl(`set image -n ${ns} deployment/web web=${testImages.web2}`)).toMatch(/image updated/);
    await kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`);
    expect(await kubectl(`rollout history -n ${ns} deployment/web`)).toMatch(/REVISION\s+CHANGE-CAUSE\n1\s+<none>\n2\s+<none>/);
    await kubectl(`rollout undo -n ${ns} deployment/web`);
    await kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`);
    await kubectl(`rollout restart -n ${ns} deployment/web`);
    await kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`);
    expect(await kubectl(`describe deployment -n ${ns} web`)).toMatch(/NewReplicaSet:\s+web-/);
    // Events come after what they tell of, and later still when an apiserver was away in between.
    const described = await eventually('a pod’s events', async () => {
      const said = await kubectl(`describe pod -n ${ns} -l app=web --show-events=true`);
      return /Started\s+\d+[sm][\s\S]*kubelet/.test(said) ? said : undefined;
    });
    expect(described).toMatch(/Controlled By:\s+ReplicaSet\/web-/);
    expect(await kubectl(`get all -n ${ns}`)).toMatch(/service\/web\s+ClusterIP/);
    await eventually('the scheduler’s events', async () =>
      /Successfully assigned/.test(await kubectl(`get events -n ${ns} --field-selector reason=Scheduled`)),
    );
  });

  it('reads logs, runs commands, attaches, copies and forwards ports', async () => {
    await kubectl(
      `run -n ${ns} shell --image=${testImages.busybox} --command -- sh -c 'for i in 1 2 3; do echo line $i; done; sleep 3600'`,
    );
    await kubectl(`wait -n ${ns} pod/shell --for=condition=Ready --timeout=120s`);
    await eventually('three lines', async () => (await kubectl(`logs -n ${ns} shell`)) === 'line 1\nline 2\nline 3\n');
    expect(await kubectl(`logs -n ${ns} shell --tail=1`)).toBe('line 3\n');
    expect(await kubectl(`logs -n ${ns} shell --timestamps --tail=1`)).toMatch(/^\d{4}-\d\d-\d\dT\S+Z line 3\n$/);
    expect(await kubectl(`exec -n ${ns} shell -- sh -c 'echo out; echo err >&2'`)).toBe('out\n');
    const failed = await cluster.tryKubectl(`exec -n ${ns} shell -- sh -c 'exit 7'`, { binary });
    expect(failed.code).toBe(7);
    expect(await kubectl(`exec -i -n ${ns} shell -- wc -c`, 'x'.repeat(200_000))).toBe('200000\n');
    writeFileSync(join(folder, 'copied'), 'content of a file\n');
    await kubectl(`cp ${join(folder, 'copied')} ${ns}/shell:/tmp/copied`);
    expect(await kubectl(`exec -n ${ns} shell -- cat /tmp/copied`)).toBe('content of a file\n');
    await kubectl(`run -n ${ns} once --image=${testImages.busybox} --restart=Never --command -- sh -c 'echo done'`);
    await kubectl(`wait -n ${ns} pod/once --for=jsonpath={.status.phase}=Succeeded --timeout=120s`);
    expect(
      await kubectl(
        `run -n ${ns} attached -i --rm --quiet --image=${testImages.busybox} --restart=Never --command -- sh -c 'sleep 2; echo from attached'`,
      ),
    ).toMatch(/from attached/);
    const forward = spawn(binary, ['--kubeconfig', cluster.kubeconfig, 'port-forward', '-n', ns, 'deployment/web', ':8080']);
    try {
      const port = await new Promise<string>((resolve, reject) => {
        let text = '';
        forward.stdout.on('data', (d: Buffer) => {
          text += d.toString();
          const match = /127\.0\.0\.1:(\d+) -> 8080/.exec(text);
          if (match?.[1] !== undefined) resolve(match[1]);
        });
        forward.on('close', () => reject(new Error(`port-forward ended: ${text}`)));
      });
      for (let i = 0; i < 5; i++) expect((await get(`http://127.0.0.1:${port}/`))[1]).toMatch(/^web-/);
    } finally {
      forward.kill();
    }
  });
});

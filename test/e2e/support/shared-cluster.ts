import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { importHostImage, busyboxImage, nodeImage } from '@skiff/testing/host-image';
import Docker from 'dockerode';
import { clusterPlace, skiff } from './cluster.ts';
import { testImages, webProgram } from './images.ts';

/** One cluster for all stories that leave it as they found it; vitest's global set-up of the e2e project. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const place = clusterPlace('e2e', 0);
  const docker = new Docker({ socketPath: '/var/run/docker.sock' });
  await importHostImage(docker, busyboxImage(testImages.busybox));
  const web = nodeImage(testImages.web1, { '/web.js': webProgram }, ['node', '/web.js']);
  await importHostImage(docker, { ...web, environment: { VERSION: '1' } });
  await importHostImage(docker, { ...web, name: testImages.web2, environment: { VERSION: '2' } });
  await skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']);
  const result = await skiff(['up', ...place.flags]);
  process.stdout.write(result.stdout);
  if (result.code !== 0) throw new Error(`skiff up failed:\n${result.stdout}${result.stderr}`);
  project.provide('place', place);
  return async () => {
    const down = await skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']);
    process.stdout.write(down.stdout);
    if (down.code !== 0) throw new Error(`skiff down --wipe failed:\n${down.stdout}${down.stderr}`);
    rmSync(place.rootDir, { recursive: true, force: true });
  };
}

declare module 'vitest' {
  interface ProvidedContext {
    place: ReturnType<typeof clusterPlace>;
  }
}

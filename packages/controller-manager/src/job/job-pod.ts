import { job as jobs, type Container, type Pod } from '@skiff/api';
import { controllerReference } from '../owner-references.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';
import { completionIndexKey } from './completion-indexes.ts';
import { trackingFinalizer, type NewPod } from './decide-job.ts';
import type { JobView } from './job-policies.ts';

const indexVariable = 'JOB_COMPLETION_INDEX';
const maxGenerateName = 58;

function withIndex(container: Container): Container {
  if ((container.env ?? []).some((v) => v.name === indexVariable)) return container;
  return {
    ...container,
    env: [
      ...(container.env ?? []),
      { name: indexVariable, valueFrom: { fieldRef: { fieldPath: `metadata.labels['${completionIndexKey}']` } } },
    ],
  };
}

/** A pod of the job, with the finalizer that keeps it until it is counted. */
export function jobPod(job: JobView, wanted: NewPod): Pod {
  const pod = podFromTemplate(job.spec?.template, job, controllerReference(job, jobs));
  const metadata = { ...pod.metadata, finalizers: [...new Set([...(pod.metadata?.finalizers ?? []), trackingFinalizer])] };
  if (wanted.index === undefined) return { ...pod, metadata };
  const suffix = `-${wanted.index}-`;
  const name = job.metadata?.name ?? '';
  const spec = pod.spec ?? { containers: [] };
  return {
    ...pod,
    metadata: {
      ...metadata,
      generateName: name.slice(0, maxGenerateName - suffix.length) + suffix,
      labels: { ...metadata.labels, [completionIndexKey]: String(wanted.index) },
      annotations: { ...metadata.annotations, [completionIndexKey]: String(wanted.index), ...wanted.annotations },
    },
    spec: {
      ...spec,
      hostname: `${name}-${wanted.index}`,
      containers: spec.containers.map(withIndex),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(withIndex) }),
    },
  };
}

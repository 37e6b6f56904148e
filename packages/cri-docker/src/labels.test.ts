import { expect, it } from 'vitest';
import { containerConfig, sandboxConfig } from '@skiff/cri/conformance';
import { labelNames, renderContainerLabels, renderSandboxLabels, splitLabels } from './labels.ts';

const labels = { app: 'web', 'annotation.io.skiff.pod.hostPorts': 'x', [labelNames.sandboxId]: 'other', [labelNames.type]: 'container' };

it("lets no pod's label choose the runtime", () => {
  const chosen = { [labelNames.runtimeHandler]: 'runc' };
  expect(renderSandboxLabels('i', sandboxConfig({ labels: chosen }))[labelNames.runtimeHandler]).toBe('');
  expect(renderSandboxLabels('i', sandboxConfig({ labels: chosen, runtimeHandler: 'runsc' }))[labelNames.runtimeHandler]).toBe('runsc');
});

it("takes no pod's label for an annotation or for its own", () => {
  const rendered = renderSandboxLabels('i', sandboxConfig({ labels, annotations: { noted: 'yes' } }));
  expect(rendered).toMatchObject({ [labelNames.type]: 'podsandbox', app: 'web' });
  expect(rendered).not.toHaveProperty([labelNames.sandboxId]);
  expect(splitLabels(rendered).annotations).toEqual({ noted: 'yes' });
  expect(splitLabels(rendered).labels).toMatchObject({ app: 'web' });

  const { metadata } = containerConfig('image', ['true']);
  const pod = sandboxConfig().metadata;
  const made = renderContainerLabels({ instance: 'i', pod, sandboxId: 's', metadata, image: 'image', labels, annotations: {} });
  expect(made[labelNames.sandboxId]).toBe('s');
  expect(splitLabels(made).annotations).toEqual({});
});

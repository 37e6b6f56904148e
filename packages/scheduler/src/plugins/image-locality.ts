import { maxNodeScore, type SchedulerPlugin } from '../framework/plugin.ts';

const mebibyte = 1024 * 1024;
/** Less than this on a node is not worth a point; more than that for each container is worth no more. */
const minBytes = 23 * mebibyte;
const maxBytesPerContainer = 1000 * mebibyte;

/** Prefers nodes that have the pod's images, the less the fewer nodes have them: else one node would draw all pods. */
export const imageLocality: SchedulerPlugin = {
  name: 'ImageLocality',
  score: ({ pod }, node, { snapshot }) => {
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const images = [...containers.map((c) => c.image), ...(pod.spec?.volumes ?? []).map((v) => v.image?.reference)];
    let sum = 0;
    for (const image of images) {
      const name = withTag(image ?? '');
      const bytes = node.images.get(name);
      if (bytes !== undefined) sum += Math.trunc((bytes * snapshot.nodesWithImage(name)) / snapshot.nodes.length);
    }
    const max = maxBytesPerContainer * containers.length;
    return Math.trunc((maxNodeScore * (Math.min(Math.max(sum, minBytes), max) - minBytes)) / (max - minBytes));
  },
};

const withTag = (image: string): string => (image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image);

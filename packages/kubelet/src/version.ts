/** The Kubernetes version whose kubelet this one stands for. */
export const kubeletVersion = 'v1.36.2+skiff';

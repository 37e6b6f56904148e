export { kubeletFlags } from './flags.ts';
export * from './kubelet.ts';

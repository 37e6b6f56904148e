export * from './config.ts';
export * from './controller-manager.ts';
export { controllers } from './controllers.ts';
export type { ControllerDescriptor } from './descriptor.ts';
export { controllerManagerFlags } from './flags.ts';
export { createControllerMetrics } from './metrics.ts';
export { selectControllers } from './select-controllers.ts';

export * from './host-image.ts';

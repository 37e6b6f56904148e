export * from './field-error.ts';
export * from './object.ts';
export * from './resource-definition.ts';
export * from './schema.ts';
export * from './schema-registry.ts';
export * from './status-error.ts';

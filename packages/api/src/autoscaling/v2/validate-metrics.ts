import { type DeepReadonly, type FieldErrors, isPathSegmentName, quantitySign } from '@skiff/apimachinery';
import { validateContainerResourceName } from '../../core/v1/resource-requirements.ts';
import type {
  ContainerResourceMetricSource,
  ExternalMetricSource,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
  ObjectMetricSource,
  PodsMetricSource,
  ResourceMetricSource,
} from '../../generated/types/autoscaling-v2.ts';
import { dnsLabel, invalidEach } from '../../validation.ts';
import { type ReferenceRules, validateReference } from './validate-autoscaler.ts';

/** Field → the type that uses it, in the order in which upstream looks at them. */
const typeOf = {
  object: 'Object',
  external: 'External',
  pods: 'Pods',
  resource: 'Resource',
  containerResource: 'ContainerResource',
} as const;
type Source = keyof typeof typeOf;
const sources = Object.keys(typeOf) as Source[];
const types = Object.values(typeOf).sort() as string[];

export function validateMetric(metric: DeepReadonly<MetricSpec>, path: string, errors: FieldErrors, rules: ReferenceRules): void {
  const { type } = metric;
  if (type === '') errors.required(`${path}.type`, 'must specify a metric source type');
  const known = types.includes(type);
  if (!known) errors.notSupported(`${path}.type`, type, types);
  const present = sources.filter((source) => metric[source] !== undefined);
  const [first] = present;
  if (first !== undefined) validateSource(metric, first, `${path}.${first}`, errors, rules);
  const expected = sources.find((source) => typeOf[source] === type);
  if (expected === undefined) errors.notSupported(`${path}.type`, type, types);
  else if (metric[expected] === undefined) {
    errors.required(`${path}.${expected}`, 'must populate information for the given metric source');
  }
  if (present.length === 1) return;
  for (const source of present) {
    if (source !== expected) errors.forbidden(`${path}.${source}`, 'must populate the given metric source only');
  }
}

function validateSource(metric: DeepReadonly<MetricSpec>, which: Source, path: string, errors: FieldErrors, rules: ReferenceRules): void {
  const { object, external, pods, resource, containerResource } = metric;
  if (which === 'object' && object) validateObject(object, path, errors, rules);
  if (which === 'external' && external) validateExternal(external, path, errors);
  if (which === 'pods' && pods) validatePods(pods, path, errors);
  if (which === 'resource' && resource) validateResource(resource, path, errors);
  if (which === 'containerResource' && containerResource) validateContainerResource(containerResource, path, errors);
}

function validateIdentifier({ name }: DeepReadonly<MetricIdentifier>, path: string, errors: FieldErrors): void {
  if (name === '') errors.required(`${path}.name`, 'must specify a metric name');
  else invalidEach(errors, `${path}.name`, name, isPathSegmentName(name, false));
}

function validateTarget(target: DeepReadonly<MetricTarget>, path: string, errors: FieldErrors): void {
  const { type, averageUtilization } = target;
  if (type === '') errors.required(`${path}.type`, 'must specify a metric target type');
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    errors.invalid(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue');
  }
  for (const field of ['value', 'averageValue'] as const) {
    const value = target[field];
    if (value !== undefined && quantitySign(value) <= 0) errors.invalid(`${path}.${field}`, value, 'must be positive');
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.invalid(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0');
  }
}

const hasNoValue = ({ value, averageValue }: DeepReadonly<MetricTarget>): boolean => value === undefined && averageValue === undefined;

function validateObject(source: DeepReadonly<ObjectMetricSource>, path: string, errors: FieldErrors, rules: ReferenceRules): void {
  validateReference(source.describedObject, `${path}.describedObject`, errors, rules);
  validateIdentifier(source.metric, `${path}.metric`, errors);
  validateTarget(source.target, `${path}.target`, errors);
  if (hasNoValue(source.target)) errors.required(`${path}.target.averageValue`, 'must set either a target value or averageValue');
}

function validateExternal(source: DeepReadonly<ExternalMetricSource>, path: string, errors: FieldErrors): void {
  const { target } = source;
  validateIdentifier(source.metric, `${path}.metric`, errors);
  validateTarget(target, `${path}.target`, errors);
  if (hasNoValue(target)) errors.required(`${path}.target.averageValue`, 'must set either a target value for metric or a per-pod target');
  if (target.value !== undefined && target.averageValue !== undefined) {
    errors.forbidden(`${path}.target.value`, 'may not set both a target value for metric and a per-pod target');
  }
}

function validatePods(source: DeepReadonly<PodsMetricSource>, path: string, errors: FieldErrors): void {
  validateIdentifier(source.metric, `${path}.metric`, errors);
  validateTarget(source.target, `${path}.target`, errors);
  if (source.target.averageValue === undefined) {
    errors.required(`${path}.target.averageValue`, 'must specify a positive target averageValue');
  }
}

function validateUsage(target: DeepReadonly<MetricTarget>, path: string, errors: FieldErrors): void {
  validateTarget(target, path, errors);
  const { averageUtilization, averageValue } = target;
  if (averageUtilization === undefined && averageValue === undefined) {
    errors.required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization');
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    errors.forbidden(`${path}.averageValue`, 'may not set both a target raw value and a target utilization');
  }
}

function validateResource(source: DeepReadonly<ResourceMetricSource>, path: string, errors: FieldErrors): void {
  if (source.name === '') errors.required(`${path}.name`, 'must specify a resource name');
  validateUsage(source.target, `${path}.target`, errors);
}

function validateContainerResource(source: DeepReadonly<ContainerResourceMetricSource>, path: string, errors: FieldErrors): void {
  if (source.name === '') errors.required(`${path}.name`, 'must specify a resource name');
  else validateContainerResourceName(source.name, `${path}.name`, errors);
  if (source.container === '') errors.required(`${path}.container`, 'must specify a container');
  else dnsLabel(errors, `${path}.container`, source.container);
  validateUsage(source.target, `${path}.target`, errors);
}

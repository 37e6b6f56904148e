import { compile } from './compile.ts';
import { type EstimateSize, estimateCost } from './cost-estimate.ts';
import { extendEnvironment } from './environment.ts';
import { kubernetesEnvironment } from './kubernetes.ts';
import { quantityType } from './library/quantity.ts';
import { sizesOf } from './schema/schema-type.ts';
import { anyType, boolType, type CelType, formatType, mapOf, objectType, stringType } from './types.ts';

/** In bytes: of a driver's name, which is the domain of what it names; of an identifier; of an attribute's value. */
const sizes = { domain: 63, id: 32, value: 64 };
const maxEntries = 32;
const maxCost = 1_000_000n;

const text = (maxLength: number): CelType => ({ ...stringType, maxLength });
/** By domain, then by identifier. */
const qualified = (value: CelType): CelType => ({
  ...mapOf(text(sizes.domain), { ...mapOf(text(sizes.id), value), maxLength: maxEntries }),
  maxLength: maxEntries,
});

const deviceType = objectType('kubernetes.DRADevice', {
  driver: text(sizes.domain),
  allowMultipleAllocations: { ...boolType, maxLength: 1 },
  attributes: qualified({ ...anyType, maxLength: sizes.value }),
  capacity: qualified(quantityType),
});
const environment = extendEnvironment(kubernetesEnvironment, { variables: { device: deviceType }, bindings: true });
const sizesOfDevice = sizesOf(deviceType);
/** An attribute that is selected by its name is as large as any. */
const estimateSize: EstimateSize = (path) => {
  if (path[0] !== 'device') return undefined;
  const byName = path[1] === 'attributes' && path[3] !== undefined && !path[3].startsWith('@');
  return sizesOfDevice(byName ? [...path.slice(0, 3), '@values', ...path.slice(4)] : path);
};

/**
 * Checks an expression by which claims and classes select devices (`device.attributes["a.b"].c`), in upstream's words: whether it
 * compiles to bool, or to what is known at run time only, and whether it may cost too much.
 */
export function checkDeviceSelector(expression: string): { readonly invalid?: string; readonly forbidden?: string } {
  const { program, error } = compile(expression, environment);
  if (program === undefined) return { invalid: error };
  const { kind } = program.type;
  if (kind !== 'bool' && kind !== 'any') return { invalid: `must evaluate to bool or the unknown type, not ${formatType(program.type)}` };
  const { max } = estimateCost(program.checked, estimateSize);
  return max > maxCost ? { forbidden: 'too complex, exceeds cost limit' } : {};
}

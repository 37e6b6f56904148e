import { describe, expect, it } from 'vitest';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  multiplyQuantity,
  newMilliQuantity,
  newQuantity,
  quantityMilliValue,
  quantityValue,
  subtractQuantities,
} from './quantity.ts';

describe('canonicalQuantity', () => {
  it.each([
    ['0', '0'],
    ['0Ki', '0'],
    ['00', '0'],
    ['-0', '0'],
    ['0.5', '500m'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['1000m', '1'],
    ['100m', '100m'],
    ['1.500', '1.500'],
    ['1500m', '1500m'],
    ['1000', '1k'],
    ['1024', '1024'],
    ['1000Ki', '1000Ki'],
    ['1025Ki', '1025Ki'],
    ['1Ki', '1Ki'],
    ['0.5Ki', '512'],
    ['0.0001Ki', '102400u'],
    ['1.1Ki', '1126400m'],
    ['12e6', '12e6'],
    ['12000e3', '12e6'],
    ['1E', '1E'],
    ['1e3', '1e3'],
    ['100E', '100E'],
    ['0.1n', '1n'],
    ['1.0000000001', '1000000001n'],
    ['-5', '-5'],
    ['+5', '+5'],
    ['9Ei', '9223372036854775807'],
    ['1.', '1.'],
    ['.5', '500m'],
    ['123456789012345678901', '123456789012345678901'],
    ['8Gi', '8Gi'],
    ['64Mi', '64Mi'],
  ])('%s → %s', (text, canonical) => {
    expect(canonicalQuantity(text)).toBe(canonical);
  });

  it.each(['', 'abc', '1Zi', '1.2.3', '1 Gi', '0x10', '1e1e1', '--1'])('refuses %s', (text) => {
    expect(() => canonicalQuantity(text)).toThrow(/quantit/);
  });
});

describe('arithmetic', () => {
  it('adds, subtracts, multiplies and keeps the notation', () => {
    expect(formatQuantity(addQuantities('1Gi', '512Mi'))).toBe('1536Mi');
    expect(formatQuantity(addQuantities('0', '512Mi'))).toBe('512Mi');
    expect(formatQuantity(subtractQuantities('1', '250m'))).toBe('750m');
    expect(formatQuantity(multiplyQuantity('250m', 4))).toBe('1');
  });
  it('compares across notations', () => {
    expect(compareQuantities('1Gi', '1024Mi')).toBe(0);
    expect(compareQuantities('1G', '1Gi')).toBe(-1);
    expect(compareQuantities('1', '999m')).toBe(1);
  });
  it('rounds up', () => {
    expect([
      quantityValue('1100m'),
      quantityValue('-1100m'),
      quantityValue('2Ki'),
      quantityMilliValue('0.0001'),
      quantityMilliValue('2'),
    ]).toEqual([2, -2, 2048, 1, 2000]);
  });
  it('makes new ones', () => {
    expect([
      newQuantity(1048576, 'BinarySI'),
      newQuantity(1000, 'DecimalSI'),
      newMilliQuantity(1500, 'DecimalSI'),
      newMilliQuantity(2000, 'DecimalSI'),
    ]).toEqual(['1Mi', '1k', '1500m', '2']);
  });
});

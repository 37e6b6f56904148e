import { describe, expect, it } from 'vitest';
import { decryptBundle, encryptBundle, generateCertificateKey } from './certificate-bundle.ts';

const bundle = { 'ca.key': 'secret one', 'etcd/ca.key': 'secret two' };

describe('the bundle of certificates', () => {
  it('comes back with its key, and shows nothing without', () => {
    const key = generateCertificateKey();
    const data = encryptBundle(bundle, key);
    expect(Object.keys(data)).toEqual(['ca.key', 'etcd_ca.key']);
    expect(JSON.stringify(data)).not.toContain(Buffer.from('secret').toString('base64').slice(0, 6));
    expect(decryptBundle(data, key, ['ca.key', 'etcd/ca.key'])).toEqual(bundle);
  });

  it('is refused with another key, when entries were swapped or torn, and when one is absent', () => {
    const key = generateCertificateKey();
    const data = encryptBundle(bundle, key);
    const open = (d: Record<string, string>, k = key): unknown => decryptBundle(d, k, ['ca.key', 'etcd/ca.key']);
    expect(() => open(data, generateCertificateKey())).toThrow('is not the one');
    expect(() => open({ 'ca.key': data['etcd_ca.key'] ?? '', 'etcd_ca.key': data['ca.key'] ?? '' })).toThrow('is not the one');
    expect(() => open({ ...data, 'ca.key': (data['ca.key'] ?? '').slice(0, 40) })).toThrow(/is not the one|hands over no/);
    expect(() => open({ 'ca.key': data['ca.key'] ?? '' })).toThrow('hands over no etcd/ca.key');
    expect(() => open(data, 'nonsense')).toThrow('64 hexadecimal digits');
  });
});

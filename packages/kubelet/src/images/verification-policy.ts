import { FlagError } from '@skiff/component-base';

/** imagePullCredentialsVerificationPolicy of KubeletConfiguration (KEP-2535). */
export interface VerificationPolicy {
  /** Whether a pod has to show that it may use an image which is there. `pulledHere`: a kubelet fetched it. */
  mustVerify(image: string, pulledHere: boolean): boolean;
}

/** The name without tag and digest, as it is written. */
const withoutReference = (image: string): string => (image.split('@')[0] ?? image).replace(/:[^:/]*$/, '');

function allowlist(patterns: readonly string[]): (image: string) => boolean {
  for (const p of patterns) {
    const bare = p.endsWith('/*') ? p.slice(0, -1) : p;
    if (p !== p.trim() || bare === '' || bare === '/' || bare.includes('*'))
      throw new FlagError(`preloaded-images-verification-allowlist: "${p}" is neither an image name nor one that ends in /*`);
    if (bare === p && withoutReference(p) !== p)
      throw new FlagError(`preloaded-images-verification-allowlist: neither tag nor digest is accepted in an image reference: ${p}`);
  }
  return (image) => {
    const name = withoutReference(image);
    return patterns.some((p) => (p.endsWith('/*') ? name.startsWith(p.slice(0, -1)) : name === p));
  };
}

/** Throws FlagError for what upstream has no policy of. */
export function verificationPolicy(name: string, allowed: readonly string[]): VerificationPolicy {
  if (allowed.length > 0 && name !== 'NeverVerifyAllowlistedImages')
    throw new FlagError('preloaded-images-verification-allowlist goes with the policy NeverVerifyAllowlistedImages alone');
  switch (name) {
    case 'NeverVerify':
      return { mustVerify: () => false };
    case 'NeverVerifyPreloadedImages':
      return { mustVerify: (_image, pulledHere) => pulledHere };
    case 'NeverVerifyAllowlistedImages': {
      const isAllowed = allowlist(allowed);
      return { mustVerify: (image) => !isAllowed(image) };
    }
    case 'AlwaysVerify':
      return { mustVerify: () => true };
    default:
      throw new FlagError(
        `image-pull-credentials-verification-policy takes NeverVerify, NeverVerifyPreloadedImages, NeverVerifyAllowlistedImages or AlwaysVerify, not "${name}"`,
      );
  }
}

/** Names that files of the apiserver's own would have, were there such a thing. */
export const staticNameWarnings = (name: string | undefined): readonly string[] =>
  name?.endsWith('.static.k8s.io') === true
    ? [
        'metadata.name: names ending with ".static.k8s.io" are reserved for static manifest-based configurations and cannot be managed via the API',
      ]
    : [];

/** Key of verbose Status information with what the contract tells and the CRI has no field for, as JSON. */
export const runtimeInfoKey = 'io.skiff.status';

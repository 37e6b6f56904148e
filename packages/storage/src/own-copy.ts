/** An own copy: what gRPC and Redis clients hand out is a view that would keep a whole message alive. */
export function ownCopy(view: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(view.byteLength);
  copy.set(view);
  return copy;
}

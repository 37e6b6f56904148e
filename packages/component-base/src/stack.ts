/** Async clean-up in reverse order (Node 20 has no AsyncDisposableStack). All steps run; the first error is thrown at the end. */
export class CleanupStack implements AsyncDisposable {
  #steps: (() => unknown)[] = [];
  defer(step: () => unknown): void {
    this.#steps.push(step);
  }
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.defer(() => (Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose]()));
    return resource;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    let failed = false;
    let failure: unknown;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        if (!failed) failure = error;
        failed = true;
      }
    }
    if (failed) throw failure;
  }
}

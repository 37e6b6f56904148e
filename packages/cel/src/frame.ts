import type { CallContext } from './environment.ts';
import { CelError, type Value } from './values.ts';

/** The evaluation costs more than it may. */
export class CostLimitExceeded extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

/** Values of variables; a function is called when the variable is first used. */
export type Variables = Readonly<Record<string, Value | (() => Value)>>;

/** Elements that one evaluation may walk over in calls, whatever these cost. */
const maxWork = 1_000_000;
/** So many elements are walked over between two looks at the clock. */
const elementsPerLook = 4096;
/** The last resort where costs say too little about time: ten times what the dearest expressions take. */
const maxEvaluationMs = 1000;
/** Milliseconds of CPU, which others on the machine do not stretch as they do the clock; of all threads of the process. */
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** One evaluation. */
export class Frame implements CallContext {
  readonly slots: Value[] = [];
  readonly #variables: Variables;
  readonly #computed = new Map<string, Value>();
  readonly #limit: number;
  readonly #endsAt = performance.now() + maxEvaluationMs;
  /** At the first look at the clock. */
  #startedCpuMs: number | undefined;
  #charges = 0;
  #work = 0;
  #nextLook = elementsPerLook;
  cost = 0;

  constructor(variables: Variables, limit: number) {
    this.#variables = variables;
    this.#limit = limit;
  }
  charge(cost: number): void {
    this.cost += cost;
    if (this.cost > this.#limit) throw new CostLimitExceeded();
    if ((++this.#charges & 0xff) === 0) this.#lookAtClock();
  }
  work(elements: number): void {
    this.#work += elements;
    if (this.#work > maxWork) throw new CostLimitExceeded();
    if (this.#work < this.#nextLook) return;
    this.#nextLook = this.#work + elementsPerLook;
    this.#lookAtClock();
  }
  /** Time that the machine spent on something else does not count. */
  #lookAtClock(): void {
    if (this.#startedCpuMs === undefined) this.#startedCpuMs = cpuMs();
    else if (performance.now() > this.#endsAt && cpuMs() - this.#startedCpuMs > maxEvaluationMs) throw new CostLimitExceeded();
  }
  variable(name: string): Value {
    const v = Object.hasOwn(this.#variables, name) ? this.#variables[name] : undefined;
    if (typeof v !== 'function') return v === undefined ? new CelError(`no such attribute(s): ${name}`) : v;
    let known = this.#computed.get(name);
    if (known === undefined) {
      known = v();
      this.#computed.set(name, known);
    }
    return known;
  }
}

/** A planned node: computes its value in a frame. */
export type Step = (frame: Frame) => Value;

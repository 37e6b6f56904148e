/** Entries of one stream that are remembered by their times, at first and at most: what is told again begins with a file of 10 MB. */
const firstRemembered = 256;
const maxRemembered = 2 ** 17;

/** Nanoseconds since `baseSeconds`, exact for a hundred days. NaN for what is no RFC 3339 time. */
export function nanosSince(time: string, baseSeconds: number): number {
  const [, whole = '', fraction = ''] = /^(.{19})(?:\.(\d{1,9}))?Z$/.exec(time) ?? [];
  return (Date.parse(`${whole}Z`) / 1000 - baseSeconds) * 1e9 + Number(fraction.padEnd(9, '0'));
}

/** What was told of one stream, in the order of its times. */
class Told {
  #times = new Float64Array(firstRemembered);
  #count = 0;
  last = Number.NEGATIVE_INFINITY;
  /** So many entries have the time `last`. */
  sameAsLast = 0;
  /** While entries are told again: how many with the time `last` are still to come. */
  replaying: number | undefined;

  note(at: number): void {
    this.sameAsLast = at === this.last ? this.sameAsLast + 1 : 1;
    this.last = at;
    const { length } = this.#times;
    if (this.#count === length && length < maxRemembered) {
      const larger = new Float64Array(length * 2);
      larger.set(this.#times);
      this.#times = larger;
    }
    this.#times[this.#count % this.#times.length] = at;
    this.#count += 1;
  }
  has(at: number): boolean {
    return this.#times.subarray(0, Math.min(this.#count, this.#times.length)).includes(at);
  }
}

/**
 * Some engines tell entries again when they rotate the file of a log that somebody follows. Returns whether an entry is new; an entry is one
 * told before when its time lies behind and is exactly that of one that was told. A clock that is set back loses nothing.
 */
export function createReplayFilter(): (entry: { readonly stream: string; readonly time: string }) => boolean {
  const streams = new Map<string, Told>();
  let baseSeconds: number | undefined;
  return ({ stream, time }) => {
    baseSeconds ??= Math.floor(Date.parse(time) / 1000);
    const at = nanosSince(time, baseSeconds);
    if (Number.isNaN(at)) return true;
    const told = streams.get(stream) ?? new Told();
    streams.set(stream, told);
    if (told.replaying === undefined && at < told.last && told.has(at)) told.replaying = told.sameAsLast;
    if (told.replaying !== undefined) {
      if (at < told.last) return false;
      if (at === told.last && told.replaying > 0) {
        told.replaying -= 1;
        return false;
      }
      told.replaying = undefined;
    }
    told.note(at);
    return true;
  };
}

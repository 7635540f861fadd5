import { PrefixIndex } from "../../core/prefix-index.ts";
import type { PrefixHashes } from "./prefix-hashes.ts";

/** An endpoint that a burst can go to. */
export interface BurstReplica {
  readonly id: string;
  /** Requests that it runs by its last scrape. */
  readonly running: number;
}

export interface BurstOptions {
  /** Most requests of a group on a replica; Infinity = any number. */
  readonly maxPerReplica: number;
  /** Equal leading blocks that tie different prompts together; 0 = only equal prompts are placed. */
  readonly minColocateBlocks: number;
  /** True when blocks are shared out evenly, false when requests are. */
  readonly balancesTokens: boolean;
  /** Memory of the index of what was placed; beyond it the oldest is forgotten. */
  readonly indexBytesMax: number;
}

/** Requests that go together: equal prompts, or a single one that shares its beginning. */
interface Unit {
  readonly members: number[];
  readonly prefix: PrefixHashes;
  readonly blocks: number;
}

const CAPACITY_BLOCKS = 0x7fff_ffff;

/**
 * Shares the requests of a burst out among replicas, so that equal prompts meet. Gives the replica of each request by
 * its place; -1 for one that goes anywhere.
 *
 * Units are groups of two and more requests of equal blocks, then, with minColocateBlocks, single requests that share
 * that many leading blocks with another; in both those of most blocks first, else in order of arrival. A unit goes to
 * the replica with the longest beginning of it that was placed before (at least minColocateBlocks), which has room for
 * it and less load than its share ceil(total / replicas), else to the one of least load; equal ones by fewer running
 * requests, then by id. What maxPerReplica leaves over goes on to the least loaded; when all are full, one by one. Load
 * is the number of requests, or of blocks that were not placed there before, once for each unit and replica.
 * Source: requestcontrol/dataproducer/burstprefix/assign.go.
 */
export function placeBurst(
  requests: readonly PrefixHashes[],
  replicas: readonly BurstReplica[],
  options: BurstOptions,
): Int32Array {
  const assigned = new Int32Array(requests.length).fill(-1);
  const units = unitsOf(requests, options.minColocateBlocks);
  if (units.length === 0 || replicas.length === 0) return assigned;
  const total = units.reduce((sum, { members, blocks }) => sum + (options.balancesTokens ? blocks : members.length), 0);
  const placement = new Placement(replicas, options, Math.ceil(total / replicas.length));
  for (const unit of units) placement.place(unit, assigned);
  return assigned;
}

/** Blocks over all prompts of a request. */
export const blockCount = ({ hashes }: PrefixHashes): number => hashes.length / 2;

function unitsOf(requests: readonly PrefixHashes[], minColocateBlocks: number): readonly Unit[] {
  const groups = new Map<string, Unit>();
  for (const [at, prefix] of requests.entries()) {
    const blocks = blockCount(prefix);
    if (blocks === 0) continue;
    const key = prefixKey(prefix, blocks);
    const group = groups.get(key);
    if (group) group.members.push(at);
    else groups.set(key, { members: [at], prefix, blocks });
  }
  const all = [...groups.values()];
  const shared = sharedOf(all, minColocateBlocks);
  const longestFirst = (a: Unit, b: Unit) => b.blocks - a.blocks;
  const several = all.filter(({ members }) => members.length > 1).sort(longestFirst);
  const single = all.filter((unit) => unit.members.length === 1 && shared.has(unit)).sort(longestFirst);
  return [...several, ...single];
}

/** Units that share their first blocks with another request. */
function sharedOf(units: readonly Unit[], minBlocks: number): ReadonlySet<Unit> {
  const byPrefix = new Map<string, Unit[]>();
  for (const unit of units) {
    if (minBlocks === 0 || unit.blocks < minBlocks) continue;
    const key = prefixKey(unit.prefix, minBlocks);
    const sharing = byPrefix.get(key);
    if (sharing) sharing.push(unit);
    else byPrefix.set(key, [unit]);
  }
  const shared = [...byPrefix.values()].filter((some) => some.length > 1);
  return new Set(shared.flat());
}

/** Equal for equal first `blocks` blocks: as hashes are chained, the last one of each prompt stands for all before. */
function prefixKey({ hashes, counts }: PrefixHashes, blocks: number): string {
  const parts: number[] = [];
  let from = 0;
  for (const count of counts) {
    const taken = Math.min(count, blocks - from);
    if (taken === 0) continue;
    const last = 2 * (from + taken - 1);
    parts.push(taken, hashes[last], hashes[last + 1]);
    from += taken;
  }
  return parts.join();
}

/** What was placed so far, by replica. */
class Placement {
  readonly #replicas: readonly BurstReplica[];
  readonly #options: BurstOptions;
  readonly #share: number;
  readonly #index: PrefixIndex;
  /** False when neither the choice nor the load looks at what was placed before. */
  readonly #usesIndex: boolean;
  readonly #load: Float64Array;
  /** Members of the unit that is being placed. */
  readonly #members: Int32Array;
  /** Blocks of it that were placed before. */
  readonly #matched: Int32Array;

  constructor(replicas: readonly BurstReplica[], options: BurstOptions, share: number) {
    this.#replicas = replicas;
    this.#options = options;
    this.#share = share;
    this.#index = new PrefixIndex({ bytesMax: options.indexBytesMax });
    this.#usesIndex = options.minColocateBlocks > 0 || options.balancesTokens;
    this.#load = new Float64Array(replicas.length);
    this.#members = new Int32Array(replicas.length);
    this.#matched = new Int32Array(replicas.length);
  }

  place({ members, prefix, blocks }: Unit, assigned: Int32Array): void {
    const { maxPerReplica, minColocateBlocks, balancesTokens } = this.#options;
    this.#members.fill(0);
    if (this.#usesIndex) this.#match(prefix);
    for (let from = 0; from < members.length;) {
      const near = from === 0 && minColocateBlocks > 0 ? this.#nearest() : -1;
      const target = near < 0 ? this.#leastLoaded() : near;
      const room = Math.max(1, maxPerReplica - this.#members[target]);
      const run = Math.min(members.length - from, room);
      for (const member of members.slice(from, from + run)) assigned[member] = target;
      if (!balancesTokens) this.#load[target] += run;
      else if (this.#members[target] === 0) this.#load[target] += Math.max(0, blocks - this.#matched[target]);
      this.#members[target] += run;
      from += run;
    }
    if (!this.#usesIndex) return;
    for (const [replica, count] of this.#members.entries()) {
      if (count > 0) this.#index.add(replica, prefix.hashes, 0, blocks, CAPACITY_BLOCKS);
    }
  }

  /** Prompts are walked on end: the first block that nobody has ends the walk over all of them. */
  #match({ hashes, counts }: PrefixHashes): void {
    this.#matched.fill(0);
    let from = 0;
    for (const count of counts) {
      if (this.#index.match(hashes, from, count, this.#matched) < count) return;
      from += count;
    }
  }

  #nearest(): number {
    let best = -1;
    for (let i = 0; i < this.#replicas.length; i++) {
      const matched = this.#matched[i];
      if (matched < this.#options.minColocateBlocks || this.#isFull(i) || this.#load[i] >= this.#share) continue;
      const bestMatched = best < 0 ? -1 : this.#matched[best];
      if (matched > bestMatched || (matched === bestMatched && this.#isLighter(i, best))) best = i;
    }
    return best;
  }

  #leastLoaded(): number {
    let best = -1;
    let bestOfAll = 0;
    for (let i = 0; i < this.#replicas.length; i++) {
      if (!this.#isFull(i) && (best < 0 || this.#isLighter(i, best))) best = i;
      if (this.#isLighter(i, bestOfAll)) bestOfAll = i;
    }
    return best < 0 ? bestOfAll : best;
  }

  #isFull(replica: number): boolean {
    return this.#members[replica] >= this.#options.maxPerReplica;
  }

  #isLighter(a: number, b: number): boolean {
    if (this.#load[a] !== this.#load[b]) return this.#load[a] < this.#load[b];
    const [one, other] = [this.#replicas[a], this.#replicas[b]];
    return one.running === other.running ? one.id < other.id : one.running < other.running;
  }
}

import type { CandidateTable, Candidates } from "./candidates.ts";
import type { CoreLimits } from "./core-limits.ts";
import type { Endpoints } from "./endpoints.ts";
import { NEVER } from "./endpoints.ts";
import type { Micros } from "./env.ts";
import type { Profile } from "./plan.ts";
import type { Rejection } from "./rejection.ts";

/** `droppedBy` of a candidate that no filter dropped. */
export const KEPT = -1;
/** Age of a signal that never came. */
export const AGE_NEVER = -1;

/** Why one profile picked what it picked. Arrays may be longer than what counts. */
export class ProfileRecord {
  profile: Profile | undefined;
  rejection: Rejection | undefined;
  /** By row: index of the filter that dropped the candidate, or KEPT. */
  droppedBy = new Int16Array(0);
  /** Scored candidates. */
  count = 0;
  /** Row of each scored candidate. */
  rows = new Int32Array(0);
  /** Raw score, clamped to 0..1, of scorer s for scored candidate i at `s * count + i`. */
  raw = new Float64Array(0);
  /** Weighted sum by scored candidate. */
  totals = new Float64Array(0);
  /** The draw that decided, by scored candidate; NaN where none did. */
  draws = new Float64Array(0);
  picks = new Int32Array(0);
  /** Number of picks; each is an index among the scored candidates. */
  pickCount = 0;

  /** Makes room for a run over `rowCount` candidates. */
  begin(profile: Profile, rowCount: number): void {
    this.profile = profile;
    this.rejection = undefined;
    this.count = 0;
    this.pickCount = 0;
    if (this.droppedBy.length < rowCount) {
      this.droppedBy = new Int16Array(rowCount);
      this.rows = new Int32Array(rowCount);
      this.totals = new Float64Array(rowCount);
      this.draws = new Float64Array(rowCount);
      this.picks = new Int32Array(rowCount);
    }
    this.droppedBy.fill(KEPT, 0, rowCount);
  }

  /** Notes who is scored; makes room for their scores. */
  scored(candidates: Candidates): void {
    this.count = candidates.count;
    this.rows.set(candidates.rows.subarray(0, candidates.count));
    const size = this.profile!.scorers.length * candidates.count;
    if (this.raw.length < size) this.raw = new Float64Array(size);
    this.raw.fill(0, 0, size);
    this.totals.fill(0, 0, this.count);
    this.draws.fill(Number.NaN, 0, this.count);
  }
}

/** All reasons of one decision. It belongs to a ring, which will use it again: read it, do not keep it. */
export class DecisionRecord {
  /** Number of the decision; tells whether this is still the one that was meant. */
  sequence = -1;
  rowCount = 0;
  /** Endpoint ids by row. */
  readonly ids: string[] = [];
  /** `drawName` of the same: in the decisions' hash, they stand for the ids. */
  readonly idHashes: Uint32Array[] = [];
  /** `ip:port` by row. */
  readonly targets: string[] = [];
  /** Age of the endpoint's last scrape by row, in microseconds; AGE_NEVER before the first. */
  agesUs = new Float64Array(0);
  waiting = new Float64Array(0);
  running = new Float64Array(0);
  kvUsage = new Float64Array(0);
  readonly profiles: ProfileRecord[] = [];
  /** Number of profile runs in `profiles`. */
  runs = 0;
  /** Which of the runs is the primary; -1 when none. */
  primary = -1;
  hidesScores = false;

  /** Starts the record of one decision: who the candidates were and what was known of them. */
  begin(sequence: number, table: CandidateTable | undefined, endpoints: Endpoints, nowUs: Micros): void {
    this.sequence = sequence;
    this.runs = 0;
    this.primary = -1;
    this.hidesScores = false;
    this.rowCount = table?.count ?? 0;
    if (!table) return;
    if (this.agesUs.length < table.count) {
      this.agesUs = new Float64Array(table.count);
      this.waiting = new Float64Array(table.count);
      this.running = new Float64Array(table.count);
      this.kvUsage = new Float64Array(table.count);
    }
    for (let row = 0; row < table.count; row++) {
      const slot = table.slots[row];
      this.ids[row] = endpoints.description[slot].id;
      this.idHashes[row] = endpoints.draws[slot];
      this.targets[row] = endpoints.target[slot];
      const at = endpoints.updatedAtUs[slot];
      this.agesUs[row] = at === NEVER ? AGE_NEVER : nowUs - at;
      this.waiting[row] = endpoints.waiting[slot];
      this.running[row] = endpoints.running[slot];
      this.kvUsage[row] = endpoints.kvUsage[slot];
    }
  }

  /** The next profile run's place. */
  run(): ProfileRecord {
    if (this.runs === this.profiles.length) this.profiles.push(new ProfileRecord());
    return this.profiles[this.runs++];
  }
}

/** The last decisions' reasons, in memory that is used again and again. */
export class DecisionRing {
  readonly #records: DecisionRecord[] = [];
  readonly #rowsMax: number;
  #recordsMax: number;

  constructor({ decisionsKept, decisionRowsKept }: Pick<CoreLimits, "decisionsKept" | "decisionRowsKept">) {
    this.#recordsMax = decisionsKept;
    this.#rowsMax = decisionRowsKept;
  }

  /** The place of a decision over so many candidates; overwrites the oldest one. */
  place(sequence: number, rowCount: number): DecisionRecord {
    if (rowCount * this.#recordsMax > this.#rowsMax) {
      // For good: each record may be as large as the largest.
      this.#recordsMax = Math.max(1, Math.floor(this.#rowsMax / rowCount));
      this.#records.length = 0;
    }
    const at = sequence % this.#recordsMax;
    return (this.#records[at] ??= new DecisionRecord());
  }

  /** A decision's record while it lasts. */
  get(sequence: number): DecisionRecord | undefined {
    const record = this.#records[sequence % this.#recordsMax];
    return record?.sequence === sequence ? record : undefined;
  }
}

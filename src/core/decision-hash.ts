import type { DecisionRecord, ProfileRecord } from "./decision-record.ts";
import type { Decision } from "./decision.ts";
import type { MediaItem } from "./media.ts";
import { xxh64 } from "./xxh64.ts";

const BYTES_FIRST = 4096;

/**
 * Canonical hash over all decisions so far: h = XXH64(h ++ bytes of the decision), h and all numbers as little-endian
 * doubles (h as two, of its low and its high half), texts as their length and UTF-16, candidates as the XXH64 of their
 * ids. The bytes hold the request, its media, the outcome and every reason (drops, raw scores, totals, draws), so two
 * runs with one hash decided the same for the same reasons, bit for bit.
 */
export class DecisionHash {
  #bytes = new Uint8Array(BYTES_FIRST);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  readonly #state = new Uint32Array(2);
  /** Decisions in the hash. */
  count = 0;

  add(decision: Decision, record: DecisionRecord): void {
    this.#at = 0;
    this.#number(this.#state[0]);
    this.#number(this.#state[1]);
    this.#number(decision.facts.key);
    this.#text(decision.facts.requestId);
    this.#text(decision.targetModel);
    this.#number(decision.priority);
    this.#text(decision.fairnessId);
    if (decision.outcome.kind === "picked") {
      for (const id of decision.outcome.endpointIds) this.#text(id);
      for (const target of decision.outcome.targets) this.#text(target);
    } else {
      this.#text(decision.outcome.rejection.code);
      this.#text(decision.outcome.rejection.message);
    }
    for (const [name, value] of decision.headers) {
      this.#text(name);
      this.#text(value ?? "\u0000");
    }
    this.#media(decision.facts.media);
    this.#number(record.rowCount);
    for (let row = 0; row < record.rowCount; row++) this.#idHash(record.idHashes[row]);
    for (let i = 0; i < record.runs; i++) this.#run(record.profiles[i], record.rowCount);
    xxh64(this.#bytes, 0, this.#at, this.#state, 0);
    this.count++;
  }

  /** 16 hex digits. */
  get hex(): string {
    return [this.#state[1], this.#state[0]].map((half) => half.toString(16).padStart(8, "0")).join("");
  }

  #run(run: ProfileRecord, rowCount: number): void {
    this.#text(run.profile!.name);
    for (let row = 0; row < rowCount; row++) this.#number(run.droppedBy[row]);
    const { count } = run;
    for (let i = 0; i < count; i++) this.#number(run.rows[i]);
    for (let i = 0; i < count * run.profile!.scorers.length; i++) this.#number(run.raw[i]);
    for (let i = 0; i < count; i++) {
      this.#number(run.totals[i]);
      this.#number(run.draws[i]);
    }
    for (let i = 0; i < run.pickCount; i++) this.#number(run.picks[i]);
  }

  /** Nothing for a request without media; otherwise their number below 0, so that it is no count of rows. */
  #media(media: readonly MediaItem[] | undefined): void {
    if (!media) return;
    this.#number(-media.length);
    for (const item of media) {
      this.#text(item.modality);
      this.#text(item.hash);
      this.#number(item.prompt);
      this.#number(item.offsetTokens);
      this.#number(item.lengthTokens);
    }
  }

  #number(value: number): void {
    this.#room(8);
    // One bit pattern for every NaN.
    this.#view.setFloat64(this.#at, Number.isNaN(value) ? Number.NaN : value, true);
    this.#at += 8;
  }

  #idHash(hash: Uint32Array): void {
    this.#room(8);
    this.#view.setUint32(this.#at, hash[0], true);
    this.#view.setUint32(this.#at + 4, hash[1], true);
    this.#at += 8;
  }

  #text(text: string): void {
    this.#room(8 + 2 * text.length);
    this.#number(text.length);
    for (let i = 0; i < text.length; i++) {
      this.#view.setUint16(this.#at, text.charCodeAt(i), true);
      this.#at += 2;
    }
  }

  #room(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#bytes.length + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

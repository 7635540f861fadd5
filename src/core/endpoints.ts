import type { DataKey } from "./data-key.ts";
import { drawName } from "./draw.ts";
import type { Micros } from "./env.ts";
import type { EndpointDescription, LoraSignal, SignalRow } from "./events.ts";

/** Most endpoints at once; more are refused with a notice. */
export const ENDPOINTS_MAX = 16_384;

/** A number for each endpoint, by slot: a custom metric, or what a producer keeps. NaN = never set. */
export interface Column {
  values: Float64Array;
}

/** A value for each endpoint that is no number, by slot; undefined = never set. */
export interface AttributeColumn<T> {
  readonly values: (T | undefined)[];
}

/** Time of a signal that never came. */
export const NEVER: Micros = -1;

/**
 * The endpoints of the pool as a struct of arrays. An endpoint lives in a slot; a slot's generation goes up each time
 * it is taken, so that a reference of slot and generation never means another pod.
 *
 * Plugins read the columns; only the core writes them (but for columns that a plugin made by `column`).
 */
export class Endpoints {
  /** Number of slots in use or freed; slots are below this. */
  slotCount = 0;
  /** 1 when the slot holds an endpoint. */
  live = new Uint8Array(8);
  generation = new Uint32Array(8);
  /** Requests waiting in the server's queue. 0 when never seen. */
  waiting = new Float64Array(8);
  running = new Float64Array(8);
  /** KV cache use, 0..1. */
  kvUsage = new Float64Array(8);
  /** Tokens in a KV block; 0 when never seen. */
  blockSizeTokens = new Float64Array(8);
  blockCount = new Float64Array(8);
  /** When a scrape last brought anything; NEVER before the first. */
  updatedAtUs = new Float64Array(8).fill(NEVER);
  readonly lora: (LoraSignal | undefined)[] = [];
  readonly description: EndpointDescription[] = [];
  /** Destination as it goes on the wire: `ip:port`, IPv6 in brackets. */
  readonly target: string[] = [];
  /** `drawName` of the endpoint's id. */
  readonly draws: Uint32Array[] = [];
  readonly #byId = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #columns = new Map<string, Column>();
  readonly #attributes = new Map<string, AttributeColumn<unknown>>();
  /** Of `slots`, until an endpoint comes or goes. */
  #slots: Int32Array | undefined;

  /** Number of endpoints. */
  get size(): number {
    return this.#byId.size;
  }

  /** Slot of an endpoint id; -1 when there is none. */
  slotOf(id: string): number {
    return this.#byId.get(id) ?? -1;
  }

  /** True when the slot still holds the endpoint of that generation. */
  holds(slot: number, generation: number): boolean {
    return slot < this.slotCount && this.live[slot] === 1 && this.generation[slot] === generation;
  }

  /** Live slots in the order in which their endpoints came. Shared: to be read only, and never changed here either. */
  slots(): Int32Array {
    return (this.#slots ??= Int32Array.from(this.#byId.values()));
  }

  /** The column of a name, made on first use. */
  column(name: string): Column {
    let column = this.#columns.get(name);
    if (!column) {
      column = { values: new Float64Array(this.live.length).fill(Number.NaN) };
      this.#columns.set(name, column);
    }
    return column;
  }

  /** The values of an attribute, made on first use. Written by the one plugin that the key names, or by its rows. */
  attribute<T>(key: DataKey<T>): AttributeColumn<T> {
    // A key's id is made with its type (`dataKey`).
    return this.#attribute(key.id) as AttributeColumn<T>;
  }

  /** An attribute's value by the id of its data key; undefined = never set. */
  valueOf(id: string, slot: number): unknown {
    return this.#attributes.get(id)?.values[slot];
  }

  /** Takes in a new endpoint. The id must be unknown. Returns its slot, or -1 when the table is full. */
  add(endpoint: EndpointDescription): number {
    const slot = this.#free.pop() ?? this.slotCount;
    if (slot >= ENDPOINTS_MAX) return -1;
    if (slot === this.slotCount) {
      this.slotCount++;
      if (slot >= this.live.length) this.#grow();
    }
    this.live[slot] = 1;
    this.generation[slot]++;
    this.#clear(slot);
    this.describe(slot, endpoint);
    this.#byId.set(endpoint.id, slot);
    this.#slots = undefined;
    return slot;
  }

  /** Replaces what is known of an endpoint besides its signals. */
  describe(slot: number, endpoint: EndpointDescription): void {
    this.description[slot] = endpoint;
    this.target[slot] = hostPort(endpoint.address, endpoint.port);
    this.draws[slot] = drawName(endpoint.id);
  }

  /** Frees the endpoint's slot. */
  remove(slot: number): void {
    this.#byId.delete(this.description[slot].id);
    this.live[slot] = 0;
    this.#free.push(slot);
    this.#slots = undefined;
  }

  /** Writes what a scrape brought; absent fields keep their last value. Ignores a row of an endpoint that is gone. */
  scraped(row: SignalRow, nowUs: Micros): boolean {
    const { slot } = row;
    if (!this.holds(slot, row.generation)) return false;
    if (row.waiting !== undefined) this.waiting[slot] = row.waiting;
    if (row.running !== undefined) this.running[slot] = row.running;
    if (row.kvUsage !== undefined) this.kvUsage[slot] = row.kvUsage;
    if (row.blockSizeTokens !== undefined) this.blockSizeTokens[slot] = row.blockSizeTokens;
    if (row.blockCount !== undefined) this.blockCount[slot] = row.blockCount;
    if (row.lora !== undefined) {
      const max = row.lora.max < 0 ? (this.lora[slot]?.max ?? 0) : row.lora.max;
      this.lora[slot] = { ...row.lora, max };
    }
    if (row.attributes) for (const key in row.attributes) this.column(key).values[slot] = row.attributes[key];
    if (row.values) for (const id in row.values) this.#attribute(id).values[slot] = row.values[id];
    if (!row.aside) this.updatedAtUs[slot] = row.atUs ?? nowUs;
    return true;
  }

  #attribute(id: string): AttributeColumn<unknown> {
    let column = this.#attributes.get(id);
    if (!column) {
      column = { values: [] };
      this.#attributes.set(id, column);
    }
    return column;
  }

  #clear(slot: number): void {
    this.waiting[slot] = 0;
    this.running[slot] = 0;
    this.kvUsage[slot] = 0;
    this.blockSizeTokens[slot] = 0;
    this.blockCount[slot] = 0;
    this.updatedAtUs[slot] = NEVER;
    this.lora[slot] = undefined;
    for (const column of this.#columns.values()) column.values[slot] = Number.NaN;
    for (const attribute of this.#attributes.values()) attribute.values[slot] = undefined;
  }

  #grow(): void {
    const size = this.live.length * 2;
    this.live = grown(this.live, new Uint8Array(size));
    this.generation = grown(this.generation, new Uint32Array(size));
    this.waiting = grown(this.waiting, new Float64Array(size));
    this.running = grown(this.running, new Float64Array(size));
    this.kvUsage = grown(this.kvUsage, new Float64Array(size));
    this.blockSizeTokens = grown(this.blockSizeTokens, new Float64Array(size));
    this.blockCount = grown(this.blockCount, new Float64Array(size));
    this.updatedAtUs = grown(this.updatedAtUs, new Float64Array(size));
    for (const column of this.#columns.values()) {
      column.values = grown(column.values, new Float64Array(size).fill(Number.NaN));
    }
  }
}

/** `host:port` as Go's net.JoinHostPort writes it: an IPv6 host in brackets. */
export const hostPort = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Bytes of one entry: eight 4-byte fields, its flag, and its share of the hash table at the fullest. */
const ENTRY_BYTES = 8 * 4 + 1 + 12;
const ENTRIES_FIRST = 1024;
/** An LRU's size is a signed 32-bit number; the memory limit is far below. */
const CAPACITY_MAX = 0x7fff_ffff;
const NONE = -1;
const NEW_SLOT_FIELDS = 16;

/**
 * Which endpoint is thought to hold which block: block hash -> set of slots, with an LRU for each endpoint and a hard
 * limit on memory. At the limit the oldest entry of all goes.
 *
 * An entry is one (hash, slot). All entries live in flat arrays; those of one hash are chained from an open-addressing
 * table, those of one slot in the order of their last `add`, and all of them by age. Adding refreshes an entry, looking
 * up does not. An `add` longer than the endpoint's capacity leaves its own evicted blocks in their sets, outside the
 * LRU (recorded: golden case prefix-1-0006); they keep their age.
 */
export class PrefixIndex {
  readonly #entriesMax: number;
  #lo = new Uint32Array(ENTRIES_FIRST);
  #hi = new Uint32Array(ENTRIES_FIRST);
  #slot = new Int32Array(ENTRIES_FIRST);
  #older = new Int32Array(ENTRIES_FIRST);
  #newer = new Int32Array(ENTRIES_FIRST);
  #slotOlder = new Int32Array(ENTRIES_FIRST);
  #slotNewer = new Int32Array(ENTRIES_FIRST);
  #sameHash = new Int32Array(ENTRIES_FIRST);
  #inLru = new Uint8Array(ENTRIES_FIRST);
  /** First entry of a hash, plus 1; 0 = empty. */
  #table = new Int32Array(ENTRIES_FIRST * 2);
  #mask = ENTRIES_FIRST * 2 - 1;
  #used = 0;
  #free = NONE;
  #size = 0;
  #hashes = 0;
  #oldest = NONE;
  #newest = NONE;
  // By slot: ends of its LRU list and of the list of entries outside the LRU, and its size and capacity.
  #lruOldest = new Int32Array(NEW_SLOT_FIELDS).fill(NONE);
  #lruNewest = new Int32Array(NEW_SLOT_FIELDS).fill(NONE);
  #loose = new Int32Array(NEW_SLOT_FIELDS).fill(NONE);
  #lruSize = new Int32Array(NEW_SLOT_FIELDS);
  #capacity = new Int32Array(NEW_SLOT_FIELDS);
  /** Entries that went because of the memory limit. */
  limitEvictions = 0;

  constructor(options: { readonly bytesMax: number }) {
    this.#entriesMax = Math.max(1, Math.floor(options.bytesMax / ENTRY_BYTES));
  }

  /** Number of (hash, endpoint) entries. */
  get size(): number {
    return this.#size;
  }

  /** Memory of entries and table. */
  get bytes(): number {
    return this.#lo.length * (8 * 4 + 1) + this.#table.length * 4;
  }

  /** Number of entries in an endpoint's LRU. */
  sizeOf(slot: number): number {
    return slot < this.#lruSize.length ? this.#lruSize[slot] : 0;
  }

  /**
   * Walks `count` hashes (pairs lo, hi) from pair `from` and stops at the first that no endpoint holds. Adds 1 to
   * `counts[slot]` for each hash and each endpoint that holds it. Returns how many hashes were held by anyone.
   */
  match(hashes: Uint32Array, from: number, count: number, counts: Int32Array): number {
    for (let i = 0; i < count; i++) {
      let entry = this.#first(hashes[2 * (from + i)], hashes[2 * (from + i) + 1]);
      if (entry === NONE) return i;
      for (; entry !== NONE; entry = this.#sameHash[entry]) counts[this.#slot[entry]]++;
    }
    return count;
  }

  /**
   * Notes that the endpoint gets these hashes (pairs lo, hi). `capacity`: size of its LRU; only the first call for a
   * slot sets it. Hashes are added in order, so the first one is the oldest.
   */
  add(slot: number, hashes: Uint32Array, from: number, count: number, capacity: number): void {
    this.#ensureSlot(slot);
    if (this.#capacity[slot] === 0) this.#capacity[slot] = Math.max(1, Math.min(capacity, CAPACITY_MAX));
    for (let i = from; i < from + count; i++) {
      const entry = this.#find(hashes[2 * i], hashes[2 * i + 1], slot);
      if (entry === NONE) this.#insert(hashes[2 * i], hashes[2 * i + 1], slot, true);
      else this.#refresh(entry);
      if (this.#lruSize[slot] > this.#capacity[slot]) this.#drop(this.#lruOldest[slot]);
    }
    if (count <= this.#capacity[slot]) return;
    for (let i = from; i < from + count; i++) {
      if (this.#find(hashes[2 * i], hashes[2 * i + 1], slot) === NONE) {
        this.#insert(hashes[2 * i], hashes[2 * i + 1], slot, false);
      }
    }
  }

  /** Forgets an endpoint. */
  removeSlot(slot: number): void {
    if (slot >= this.#lruSize.length) return;
    while (this.#lruOldest[slot] !== NONE) this.#drop(this.#lruOldest[slot]);
    while (this.#loose[slot] !== NONE) this.#drop(this.#loose[slot]);
    this.#capacity[slot] = 0;
  }

  #place(lo: number, hi: number): number {
    let place = (lo ^ Math.imul(hi, 0x9e3779b1)) & this.#mask;
    for (;;) {
      const entry = this.#table[place] - 1;
      if (entry === NONE || (this.#lo[entry] === lo && this.#hi[entry] === hi)) return place;
      place = (place + 1) & this.#mask;
    }
  }

  #first(lo: number, hi: number): number {
    return this.#table[this.#place(lo, hi)] - 1;
  }

  #find(lo: number, hi: number, slot: number): number {
    let entry = this.#first(lo, hi);
    while (entry !== NONE && this.#slot[entry] !== slot) entry = this.#sameHash[entry];
    return entry;
  }

  #insert(lo: number, hi: number, slot: number, inLru: boolean): void {
    if (this.#size === this.#entriesMax) {
      this.#drop(this.#oldest);
      this.limitEvictions++;
    }
    const entry = this.#take();
    this.#lo[entry] = lo;
    this.#hi[entry] = hi;
    this.#slot[entry] = slot;
    this.#inLru[entry] = inLru ? 1 : 0;
    const place = this.#place(lo, hi);
    const first = this.#table[place] - 1;
    this.#sameHash[entry] = first;
    this.#table[place] = entry + 1;
    if (first === NONE) this.#hashes++;
    this.#size++;
    this.#linkNewest(entry);
    if (this.#hashes * 3 > this.#table.length * 2) this.#growTable();
  }

  #refresh(entry: number): void {
    this.#unlink(entry);
    this.#inLru[entry] = 1;
    this.#linkNewest(entry);
  }

  #drop(entry: number): void {
    this.#unlink(entry);
    const place = this.#place(this.#lo[entry], this.#hi[entry]);
    const first = this.#table[place] - 1;
    if (first === entry) {
      const next = this.#sameHash[entry];
      if (next === NONE) this.#emptyPlace(place);
      else this.#table[place] = next + 1;
    } else {
      let before = first;
      while (this.#sameHash[before] !== entry) before = this.#sameHash[before];
      this.#sameHash[before] = this.#sameHash[entry];
    }
    this.#sameHash[entry] = this.#free;
    this.#free = entry;
    this.#size--;
  }

  /** Empties a place of the table and moves up what linear probing put behind it. */
  #emptyPlace(emptied: number): void {
    let hole = emptied;
    let place = hole;
    this.#hashes--;
    for (;;) {
      this.#table[hole] = 0;
      for (;;) {
        place = (place + 1) & this.#mask;
        const entry = this.#table[place] - 1;
        if (entry === NONE) return;
        const home = (this.#lo[entry] ^ Math.imul(this.#hi[entry], 0x9e3779b1)) & this.#mask;
        const reachable = hole <= place ? home <= hole || home > place : home <= hole && home > place;
        if (reachable) break;
      }
      this.#table[hole] = this.#table[place];
      hole = place;
    }
  }

  #linkNewest(entry: number): void {
    this.#older[entry] = this.#newest;
    this.#newer[entry] = NONE;
    if (this.#newest === NONE) this.#oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
    const slot = this.#slot[entry];
    if (this.#inLru[entry]) {
      const newest = this.#lruNewest[slot];
      this.#slotOlder[entry] = newest;
      this.#slotNewer[entry] = NONE;
      if (newest === NONE) this.#lruOldest[slot] = entry;
      else this.#slotNewer[newest] = entry;
      this.#lruNewest[slot] = entry;
      this.#lruSize[slot]++;
    } else {
      const head = this.#loose[slot];
      this.#slotOlder[entry] = NONE;
      this.#slotNewer[entry] = head;
      if (head !== NONE) this.#slotOlder[head] = entry;
      this.#loose[slot] = entry;
    }
  }

  #unlink(entry: number): void {
    const older = this.#older[entry];
    const newer = this.#newer[entry];
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    const slot = this.#slot[entry];
    const slotOlder = this.#slotOlder[entry];
    const slotNewer = this.#slotNewer[entry];
    if (slotOlder !== NONE) this.#slotNewer[slotOlder] = slotNewer;
    else if (this.#inLru[entry]) this.#lruOldest[slot] = slotNewer;
    else this.#loose[slot] = slotNewer;
    if (slotNewer !== NONE) this.#slotOlder[slotNewer] = slotOlder;
    else if (this.#inLru[entry]) this.#lruNewest[slot] = slotOlder;
    if (this.#inLru[entry]) this.#lruSize[slot]--;
  }

  /** A free entry; grows the arrays when there is none. */
  #take(): number {
    if (this.#free !== NONE) {
      const entry = this.#free;
      this.#free = this.#sameHash[entry];
      return entry;
    }
    if (this.#used === this.#lo.length) this.#growEntries();
    return this.#used++;
  }

  #growEntries(): void {
    const size = Math.min(this.#entriesMax, this.#lo.length * 2);
    this.#lo = grown(this.#lo, new Uint32Array(size));
    this.#hi = grown(this.#hi, new Uint32Array(size));
    this.#slot = grown(this.#slot, new Int32Array(size));
    this.#older = grown(this.#older, new Int32Array(size));
    this.#newer = grown(this.#newer, new Int32Array(size));
    this.#slotOlder = grown(this.#slotOlder, new Int32Array(size));
    this.#slotNewer = grown(this.#slotNewer, new Int32Array(size));
    this.#sameHash = grown(this.#sameHash, new Int32Array(size));
    this.#inLru = grown(this.#inLru, new Uint8Array(size));
  }

  #growTable(): void {
    const firsts = this.#table.filter((first) => first !== 0);
    this.#table = new Int32Array(this.#table.length * 2);
    this.#mask = this.#table.length - 1;
    for (const first of firsts) this.#table[this.#place(this.#lo[first - 1], this.#hi[first - 1])] = first;
  }

  #ensureSlot(slot: number): void {
    if (slot < this.#lruSize.length) return;
    const size = Math.max(slot + 1, this.#lruSize.length * 2);
    this.#lruOldest = grown(this.#lruOldest, new Int32Array(size).fill(NONE));
    this.#lruNewest = grown(this.#lruNewest, new Int32Array(size).fill(NONE));
    this.#loose = grown(this.#loose, new Int32Array(size).fill(NONE));
    this.#lruSize = grown(this.#lruSize, new Int32Array(size));
    this.#capacity = grown(this.#capacity, new Int32Array(size));
  }
}

function grown<T extends Uint8Array | Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

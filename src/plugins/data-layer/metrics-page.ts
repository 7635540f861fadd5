import {
  BLANK,
  CLOSE,
  HASH,
  KIND,
  METRIC_CHAR,
  MINUS,
  NEWLINE,
  OPEN,
  QUOTE,
  floatEnd,
  floatValue,
  helpEnd,
  isWord,
  lineEnd,
  nameEnd,
  sameBytes,
  skipBlanks,
  timestampEnd,
} from "./page-bytes.ts";
import {
  COUNTER,
  COUNT_SAMPLE,
  FAMILIES_MAX,
  GAUGE,
  HISTOGRAM,
  PLAIN_SAMPLE,
  PageFamilies,
  SUM_SAMPLE,
  UNSET,
  UNTYPED,
  typeOf,
} from "./page-families.ts";
import { PageLabels } from "./page-labels.ts";
import { PageMemo } from "./page-memo.ts";
import { ChosenSeries, type Finding, type SeriesSelector } from "./page-series.ts";

/** Most pages kept to compare with. */
const MEMOS_MAX = 4;
/** Most bytes of the page that a message shows. */
const EXCERPT_BYTES_MAX = 40;

const HELP = bytesOf("HELP");
const TYPE = bytesOf("TYPE");

/**
 * Reads the wanted series from pages in Prometheus' text format, in one pass over the bytes: the page never becomes a
 * string, and a line never an object. Its verdict over a page is that of the Go parser behind the stock picker: one
 * malformed line refuses the whole page, and so does a last line without newline. It is stricter in two places where
 * that parser has bugs: a line of labels that names no metric, and a name of which only a part is quoted.
 *
 * Methods that take an index `i` read from there on and return the index after what they read, or -1 with the error
 * noted. None looks for the end of the page: a newline stands there.
 */
export class MetricsPageReader {
  readonly #chosen: readonly ChosenSeries[];
  readonly #chosenOf: readonly (readonly ChosenSeries[])[];
  readonly #families: PageFamilies;
  readonly #labels = new PageLabels();
  #page: Uint8Array = new Uint8Array(0);
  #own = "";
  /** The last name and its family: the next line mostly has the same. */
  #nameStart = 0;
  #nameLength = 0;
  #nameFamily = -1;
  #family = -1;
  #role = PLAIN_SAMPLE;
  /** Index of the current sample's `{`; -1 when it has none. */
  #open = -1;
  /** Pages read before, the one last met first. */
  readonly #memos: PageMemo[] = [];
  /** The page that is being read in full. */
  #memo = new PageMemo();
  #error = "";
  #errorAt = 0;

  constructor(selectors: readonly SeriesSelector[]) {
    const names = [...new Set(selectors.map((selector) => selector.name))];
    this.#chosen = selectors.map((selector) => new ChosenSeries(selector));
    this.#chosenOf = names.map((name) => this.#chosen.filter((_, k) => selectors[k].name === name));
    this.#families = new PageFamilies(names);
  }

  /**
   * Reads one page. Returns undefined when it is well formed, else what is wrong with it. What was found is asked for
   * by the other methods, until the next read, with the page's bytes still as they were.
   * @param own Value that `ownLabel` of selectors must have.
   */
  read(page: Uint8Array, own = ""): string | undefined {
    this.#page = page;
    this.#own = own;
    const end = page.lastIndexOf(NEWLINE) + 1;
    for (let i = end; i < page.length; i++) {
      if ((KIND[page[i]] & BLANK) === 0) return this.#message(end, "no newline at the end of the page");
    }
    this.#labels.reset(page);
    return this.#readByMemo(end) ? undefined : this.#readInFull(end);
  }

  #readInFull(end: number): string | undefined {
    const page = this.#page;
    const memo = this.#memo;
    memo.begin(end);
    this.#families.reset(page);
    this.#nameLength = 0;
    for (const chosen of this.#chosen) chosen.reset(this.#own);
    for (let i = 0; i < end;) {
      memo.addLine(i);
      i = this.#line(i);
      if (i < 0) return this.#message(this.#errorAt, this.#error);
    }
    if (memo.keep(page, end)) {
      this.#memos.unshift(memo);
      this.#memo = this.#memos.length > MEMOS_MAX ? this.#memos.pop()! : new PageMemo();
    }
    return undefined;
  }

  /** Reads a page that differs from one before in nothing but numbers. False when it differs more. */
  #readByMemo(end: number): boolean {
    if (this.#memos.length === 0) return false;
    const { buffer, byteOffset } = this.#page;
    const view = new DataView(buffer, byteOffset, end);
    const found = this.#memos.findIndex((memo) => this.#replay(memo, view, end));
    if (found > 0) this.#memos.unshift(...this.#memos.splice(found, 1));
    return found >= 0;
  }

  #replay(memo: PageMemo, view: DataView, end: number): boolean {
    const page = this.#page;
    const { count, starts, numbers } = memo;
    for (const chosen of this.#chosen) chosen.reset(this.#own);
    let i = 0;
    for (let line = 0; line < count; line++) {
      const start = starts[line];
      const number = numbers[line];
      const length = (number < 0 ? starts[line + 1] : number) - start;
      if (i + length > end || !memo.matches(view, i, start, length)) return false;
      if (number < 0) {
        i += length;
        continue;
      }
      const wanted = memo.wanted[line];
      const type = memo.types[line];
      this.#labels.count = 0;
      if (wanted >= 0 && memo.labels[line] >= 0) this.#labels.read(i + memo.labels[line] - start, type);
      i = this.#readNumber(skipBlanks(page, i + length), type, memo.counts[line] === 1, wanted);
      if (i < 0) return false;
    }
    return i === end;
  }

  /** What the page had for the selector of this index. */
  finding(selector: number): Finding {
    return this.#chosen[selector].finding;
  }

  /** Value of the chosen series; 0 when there is none or it is neither a gauge nor a counter. */
  value(selector: number): number {
    return this.#chosen[selector].value;
  }

  /** Value of the chosen series' label `keep[index]`; undefined when there is no series or it lacks the label. */
  label(selector: number, index: number): string | undefined {
    return this.#chosen[selector].label(this.#page, index);
  }

  #line(i: number): number {
    const page = this.#page;
    i = skipBlanks(page, i);
    if (page[i] === NEWLINE) return i + 1;
    if (page[i] === HASH) return this.#comment(i + 1);
    this.#labels.count = 0;
    this.#labels.bounded = false;
    this.#open = -1;
    if (page[i] === OPEN) return this.#readBraced(i);
    i = this.#readName(i);
    if (i < 0) return -1;
    this.#sampleType();
    i = skipBlanks(page, i);
    return page[i] === OPEN ? this.#readLabelled(i) : this.#readSample(i);
  }

  /** Labels at `{`, value and timestamp of the current family's sample. */
  #readLabelled(i: number): number {
    const labels = this.#labels;
    const type = this.#families.types[this.#family];
    this.#open = i;
    let end = -1;
    if (this.#families.wanted[this.#family] < 0) end = labels.skim(i, type, this.#role === PLAIN_SAMPLE);
    if (end < 0) end = labels.read(i, type);
    return end < 0 ? this.#fail(labels.errorAt, labels.error) : this.#readSample(skipBlanks(this.#page, end));
  }

  /** A sample that has its name among its labels. */
  #readBraced(i: number): number {
    const labels = this.#labels;
    this.#memo.refuse();
    const end = labels.readNamed(i, (start, end) => (this.#enter(start, end) ? this.#sampleType() : -1));
    return end < 0 ? this.#fail(labels.errorAt, labels.error) : this.#readSample(skipBlanks(this.#page, end));
  }

  /** Type of the current family, which now has a sample. */
  #sampleType(): number {
    const { types } = this.#families;
    if (types[this.#family] === UNSET) types[this.#family] = UNTYPED;
    return types[this.#family];
  }

  #comment(i: number): number {
    const page = this.#page;
    const word = skipBlanks(page, i);
    i = word;
    while (page[i] !== NEWLINE && (KIND[page[i]] & BLANK) === 0) i++;
    if (page[i] === NEWLINE) return i + 1;
    const help = isWord(page, word, i, HELP);
    if (!help && !isWord(page, word, i, TYPE)) return lineEnd(page, i) + 1;
    const name = skipBlanks(page, i);
    if (page[name] === NEWLINE) return name + 1;
    i = this.#readName(name);
    if (i < 0) return -1;
    if (page[i] === NEWLINE) return i + 1;
    if ((KIND[page[i]] & BLANK) === 0) return this.#fail(name, "not a metric name");
    i = skipBlanks(page, i);
    if (page[i] === NEWLINE) return i + 1;
    return help ? this.#readHelp(this.#family, i) : this.#readType(this.#family, i);
  }

  #readHelp(family: number, i: number): number {
    const { helped } = this.#families;
    if (helped[family] === 1) return this.#fail(i, "a second HELP line for one metric");
    helped[family] = 1;
    const newline = helpEnd(this.#page, i);
    return newline < 0 ? this.#fail(i, 'a wrong escape in a help text (allowed: \\\\, \\n and \\")') : newline + 1;
  }

  #readType(family: number, i: number): number {
    const { types } = this.#families;
    if (types[family] !== UNSET) return this.#fail(i, "a second TYPE line for one metric, or one after its samples");
    const newline = lineEnd(this.#page, i);
    const type = typeOf(this.#page, i, newline);
    if (type < 0) return this.#fail(i, "not a metric type (counter, gauge, summary, histogram or untyped)");
    types[family] = type;
    return newline + 1;
  }

  /** A metric's name, which becomes the current family. */
  #readName(i: number): number {
    const page = this.#page;
    const after = i + this.#nameLength;
    if (
      after > i &&
      sameBytes(page, i, page, this.#nameStart, this.#nameLength) &&
      (KIND[page[after]] & METRIC_CHAR) === 0 &&
      page[after] !== QUOTE
    ) {
      this.#family = this.#nameFamily;
      return after;
    }
    const end = nameEnd(page, i);
    if (end < 0) return this.#fail(i, "not a metric name");
    return this.#enter(i, end) ? end : -1;
  }

  /** Makes the family of the name at [start, end) the current one. */
  #enter(start: number, end: number): boolean {
    const quotes = this.#page[start] === QUOTE ? 1 : 0;
    const family = this.#families.resolve(start + quotes, end - quotes);
    this.#family = family;
    this.#nameFamily = family;
    this.#role = this.#families.role;
    this.#nameStart = start + quotes;
    this.#nameLength = end - start - quotes * 2;
    if (family < 0) this.#fail(start, `more than ${FAMILIES_MAX} metrics on the page`);
    return family >= 0;
  }

  /** Value and timestamp of the current family's sample. */
  #readSample(i: number): number {
    const type = this.#families.types[this.#family];
    const wanted = this.#families.wanted[this.#family];
    const counts =
      type === HISTOGRAM && (this.#role === COUNT_SAMPLE || (this.#role !== SUM_SAMPLE && this.#labels.bounded));
    // Without a blank or brace between, other bytes could move the border of name and number.
    if (i > 0 && (KIND[this.#page[i - 1]] & BLANK) === 0 && this.#page[i - 1] !== CLOSE) this.#memo.refuse();
    else this.#memo.addNumber(i, type, counts, wanted, this.#open);
    return this.#readNumber(i, type, counts, wanted);
  }

  /** Value and timestamp up to the line's end; then the series is complete. `counts`: the value is not below 0. */
  #readNumber(i: number, type: number, counts: boolean, wanted: number): number {
    const page = this.#page;
    const end = floatEnd(page, i);
    if (end < 0 || (page[end] !== NEWLINE && (KIND[page[end]] & BLANK) === 0)) return this.#fail(i, "not a number");
    let time = 0;
    let newline = end;
    if (page[end] !== NEWLINE) {
      const start = skipBlanks(page, end);
      newline = timestampEnd(page, start);
      if (newline < 0) return this.#fail(start, "not a whole number as timestamp");
      if (page[newline] !== NEWLINE) return this.#fail(newline, "something after the timestamp");
      time = floatValue(page, start, newline);
    }
    if (page[i] === MINUS && counts && floatValue(page, i, end) < 0)
      return this.#fail(i, "a negative count in a histogram");
    if (wanted >= 0) {
      const value = type === GAUGE || type === COUNTER ? floatValue(page, i, end) : 0;
      for (const chosen of this.#chosenOf[wanted]) chosen.consider(page, this.#labels, value, time);
    }
    return newline + 1;
  }

  #fail(at: number, what: string): -1 {
    this.#error = what;
    this.#errorAt = at;
    return -1;
  }

  #message(at: number, what: string): string {
    const page = this.#page;
    let line = 1;
    for (let i = page.indexOf(NEWLINE); i >= 0 && i < at; i = page.indexOf(NEWLINE, i + 1)) line++;
    const newline = page.indexOf(NEWLINE, at);
    const end = Math.min(newline < 0 ? page.length : newline, at + EXCERPT_BYTES_MAX);
    const excerpt = JSON.stringify(new TextDecoder().decode(page.subarray(at, end)));
    return `Cannot read the metrics page: line ${line}: ${what}: ${excerpt}`;
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

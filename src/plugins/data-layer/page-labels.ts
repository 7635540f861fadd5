import {
  CLOSE,
  COMMA,
  EQUALS,
  QUOTE,
  UNDERSCORE,
  isLabelName,
  isWord,
  labelNameEnd,
  labelValueEnd,
  nameEnd,
  sameBytes,
  skipBlanks,
} from "./page-bytes.ts";
import { HISTOGRAM, SUMMARY } from "./page-families.ts";
import { LABELS_MAX, LabelTemplate } from "./page-label-template.ts";

const RESERVED = new TextEncoder().encode("__name__");
const BUCKET = new TextEncoder().encode("le");
const QUANTILE = new TextEncoder().encode("quantile");

/** Makes the name at [start, end) the series' family; returns the family's type, or -1 when it may not be. */
type NameReader = (start: number, end: number) => number;

/** Reads the labels of a series, from `{` on, and keeps where they stand on the page. */
export class PageLabels {
  /** Name start, name end, value start and value end of each label in turn, the bound of a bucket or quantile left out. */
  readonly places = new Int32Array(LABELS_MAX * 4);
  count = 0;
  /** True when the series told the bound of a bucket or a quantile, other than NaN. */
  bounded = false;
  /** What is wrong, after -1 was returned, and where. */
  error = "";
  errorAt = 0;

  #page: Uint8Array = new Uint8Array(0);
  #type = 0;
  /** True when a label is called `le` or `quantile`: whether it is a bound depends on the family. */
  #special = false;
  #scratch = new LabelTemplate();
  /** The last labels without such a name, which are right in every family. */
  #plain = new LabelTemplate();
  /** The last labels with a bound. */
  #bound = new LabelTemplate();

  /** Forgets the page before. */
  reset(page: Uint8Array): void {
    this.#page = page;
    this.#plain.clear();
    this.#bound.clear();
  }

  /**
   * Checks the labels at `i` of a series of that type without keeping where they stand, if they are much like some
   * before. Returns the index after `}`, or -1: then they must be read. `bounds`: one of them should be a bound.
   */
  skim(i: number, type: number, bounds: boolean): number {
    const template = bounds && this.#bound.boundType === type ? this.#bound : this.#plain;
    const end = template.match(this.#page, i);
    this.bounded = template.bounded;
    return end;
  }

  /** Reads the labels at `i` of a family of that type. Returns the index after `}`; -1 when they are malformed. */
  read(i: number, type: number): number {
    this.#type = type;
    const open = i;
    const end = this.#pairs(open, undefined);
    this.bounded = this.#scratch.bounded;
    if (end > 0) this.#keepTemplate(open, end);
    return end;
  }

  /** As `read`, for labels that hold the metric's name too. */
  readNamed(i: number, readName: NameReader): number {
    this.#type = -1;
    const end = this.#pairs(i, readName);
    this.bounded = this.#scratch.bounded;
    return end > 0 && this.#type < 0 ? this.#fail(i, "labels without a metric name") : end;
  }

  /** Index into `places` of the label of that name; -1 when there is none. */
  find(name: Uint8Array): number {
    const { places, count } = this;
    for (let at = 0; at < count * 4; at += 4) if (isWord(this.#page, places[at], places[at + 1], name)) return at;
    return -1;
  }

  #pairs(i: number, readName: NameReader | undefined): number {
    const page = this.#page;
    this.count = 0;
    this.#special = false;
    this.#scratch.clear();
    for (;;) {
      i = skipBlanks(page, i + 1);
      if (page[i] === CLOSE) return i + 1;
      const name = i;
      // Mostly a name without quotes, and = right after it.
      i = labelNameEnd(page, name);
      if (i < 0 || page[i] !== EQUALS) {
        i = this.#oddName(name, readName);
        if (i < 0) return -1;
      } else {
        i = this.#value(name, i, i + 1);
        if (i < 0) return -1;
      }
      if (page[i] === CLOSE) return i + 1;
      if (page[i] !== COMMA) return this.#fail(i, "neither , nor } after a label");
    }
  }

  /** A name in quotes or with blanks after it, and its value; or the metric's name. */
  #oddName(name: number, readName: NameReader | undefined): number {
    const page = this.#page;
    const end = nameEnd(page, name);
    if (end < 0) return this.#fail(name, "not a label name");
    const i = skipBlanks(page, end);
    const quotes = page[name] === QUOTE ? 1 : 0;
    const isLabel = isLabelName(page, name + quotes, end - quotes);
    if (page[i] === EQUALS) {
      if (!isLabel) return this.#fail(name, "not a label name");
      return this.#value(name + quotes, end - quotes, i + 1);
    }
    if (!readName || this.#type >= 0 || (page[i] !== COMMA && page[i] !== CLOSE))
      return this.#fail(i, "no = after a label name");
    if (quotes === 0 && !isLabel) return this.#fail(name, "not a metric name");
    this.#type = readName(name, end);
    return this.#type < 0 ? this.#fail(name, "one metric too many") : i;
  }

  /** The value at `i` of the label whose name stands at [name, end), and blanks after it. */
  #value(name: number, end: number, i: number): number {
    const page = this.#page;
    if (page[name] === UNDERSCORE && isWord(page, name, end, RESERVED))
      return this.#fail(name, "a label name that is reserved");
    i = skipBlanks(page, i);
    if (page[i] !== QUOTE) return this.#fail(i, 'no " before a label value');
    const value = i + 1;
    const valueEnd = labelValueEnd(page, value);
    if (valueEnd < 0) return this.#fail(value, "a label value that has no end, a wrong escape or is not UTF-8");
    const length = end - name;
    if ((length === BUCKET.length || length === QUANTILE.length) && this.#isBound(name, end)) {
      if (!this.#scratch.addBound(page, value, valueEnd, this.#type))
        return this.#fail(value, "not a number as bound of a bucket or quantile");
    } else {
      this.#scratch.add(value, valueEnd);
      const wrong = this.#add(name, end, value, valueEnd);
      if (wrong !== undefined) return this.#fail(name, wrong);
    }
    return skipBlanks(page, valueEnd + 1);
  }

  /** True for the label that a histogram or summary sets apart. */
  #isBound(name: number, end: number): boolean {
    const bucket = isWord(this.#page, name, end, BUCKET);
    const quantile = isWord(this.#page, name, end, QUANTILE);
    if (bucket || quantile) this.#special = true;
    return (bucket && this.#type === HISTOGRAM) || (quantile && this.#type === SUMMARY);
  }

  #add(name: number, end: number, value: number, valueEnd: number): string | undefined {
    const { places, count } = this;
    const length = end - name;
    for (let at = 0; at < count * 4; at += 4) {
      if (places[at + 1] - places[at] === length && sameBytes(this.#page, places[at], this.#page, name, length))
        return "a label twice in one series";
    }
    if (count === LABELS_MAX) return `more than ${LABELS_MAX} labels in one series`;
    places[count * 4] = name;
    places[count * 4 + 1] = end;
    places[count * 4 + 2] = value;
    places[count * 4 + 3] = valueEnd;
    this.count++;
    return undefined;
  }

  /** Makes the labels just read a template for those to come. */
  #keepTemplate(start: number, end: number): void {
    const read = this.#scratch;
    if (read.boundType >= 0) {
      this.#scratch = this.#bound;
      this.#bound = read;
    } else if (!this.#special) {
      this.#scratch = this.#plain;
      this.#plain = read;
    } else return;
    read.keep(start, end);
  }

  #fail(at: number, what: string): -1 {
    this.error = what;
    this.errorAt = at;
    return -1;
  }
}

import { labelText } from "./page-bytes.ts";
import type { PageLabels } from "./page-labels.ts";

/** Which series of a page is wanted. */
export interface SeriesSelector {
  /** Name of the family. */
  readonly name: string;
  /** Labels that a series must have, with just these values. */
  readonly labels: ReadonlyMap<string, string>;
  /** Which of the matching series counts: that of the latest timestamp or the greatest value; the first of equals. */
  readonly choose: "latest" | "greatest";
  /** A label that a series must have with the value that the reader of the page names, or not have at all. */
  readonly ownLabel?: string;
  /** A series is not taken whose timestamp or value, by `choose`, is this or less. Default -1, as stock. */
  readonly above?: number;
  /** Labels of the chosen series whose values are wanted. */
  readonly keep: readonly string[];
}

/** What a page had for a selector. */
export type Finding = "no family" | "no series" | "series";

/** Default of `above`. */
const BELOW_ALL = -1;

/** The best series so far for one selector. */
export class ChosenSeries {
  finding: Finding = "no family";
  /** Value of the chosen series; 0 when there is none. */
  value = 0;

  readonly #choose: SeriesSelector["choose"];
  readonly #labels: readonly (readonly [Uint8Array, string])[];
  readonly #keep: readonly Uint8Array[];
  /** Start and end of each kept label's value; start -1 when the series lacks it. */
  readonly #kept: Int32Array;
  readonly #ownLabel: Uint8Array | undefined;
  readonly #above: number;
  #own = "";
  #best = BELOW_ALL;

  constructor(selector: SeriesSelector) {
    const encoder = new TextEncoder();
    this.#choose = selector.choose;
    this.#labels = Array.from(selector.labels, ([name, value]) => [encoder.encode(name), value] as const);
    this.#keep = selector.keep.map((name) => encoder.encode(name));
    this.#ownLabel = selector.ownLabel === undefined ? undefined : encoder.encode(selector.ownLabel);
    this.#above = selector.above ?? BELOW_ALL;
    this.#kept = new Int32Array(selector.keep.length * 2);
  }

  /** @param own Value of `ownLabel` for the next page. */
  reset(own: string): void {
    this.finding = "no family";
    this.value = 0;
    this.#own = own;
    this.#best = this.#above;
  }

  /** Takes a series of the family when it matches and is better than the one taken before. */
  consider(page: Uint8Array, labels: PageLabels, value: number, time: number): void {
    if (this.finding === "no family") this.finding = "no series";
    const { places } = labels;
    for (const [name, want] of this.#labels) {
      const at = labels.find(name);
      if (at < 0 || labelText(page, places[at + 2], places[at + 3]) !== want) return;
    }
    const own = this.#ownLabel ? labels.find(this.#ownLabel) : -1;
    if (own >= 0 && labelText(page, places[own + 2], places[own + 3]) !== this.#own) return;
    const rank = this.#choose === "latest" ? time : value;
    if (!(rank > this.#best)) return;
    this.#best = rank;
    this.value = value;
    this.finding = "series";
    for (let k = 0; k < this.#keep.length; k++) {
      const at = labels.find(this.#keep[k]);
      this.#kept[k * 2] = at < 0 ? -1 : places[at + 2];
      this.#kept[k * 2 + 1] = at < 0 ? -1 : places[at + 3];
    }
  }

  /** Value of the chosen series' label `keep[index]`; undefined when there is no series or it lacks the label. */
  label(page: Uint8Array, index: number): string | undefined {
    const start = this.#kept[index * 2];
    return this.finding === "series" && start >= 0 ? labelText(page, start, this.#kept[index * 2 + 1]) : undefined;
  }
}

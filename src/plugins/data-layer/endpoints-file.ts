import { LineCounter, type Document, type Node, isAlias, isMap, isScalar, isSeq, parseAllDocuments, visit } from "yaml";
import { hostPort } from "../../core/endpoints.ts";
import type { EndpointDescription } from "../../core/events.ts";
import { isHost, isIpv4 } from "./host-name.ts";
import { isNestedDeeper } from "./yaml-nesting.ts";

/** Most bytes of an endpoints file, as stock. */
export const ENDPOINTS_FILE_BYTES_MAX = 1 << 20;
/** Most errors of one file that are told; the rest is counted. */
const ERRORS_MAX = 50;
/** Most levels of nesting. */
const NESTING_MAX = 64;
/** Most maps merged into each other, and most merged maps that are looked through for all entries together. */
const MERGE_DEPTH_MAX = 8;
const MERGES_MAX = 100_000;
/** Most characters of a value that an error shows. */
const SHOWN_MAX = 60;

const PORT_MAX = 65_535;
const PORT = /^\+?\d{1,18}$/;

/** What an endpoints file says. */
export interface EndpointsFile {
  /** The valid entries, each id once, in the order in which the ids first stand. */
  readonly endpoints: readonly EndpointDescription[];
  /** What is wrong, with line and column. */
  readonly errors: readonly string[];
  /** True when the file as a whole can't be read: `endpoints` is then empty, and says nothing. */
  readonly fatal: boolean;
  /** True when nothing at all stands in the file but blanks and comments. */
  readonly blank: boolean;
}

/**
 * Reads an endpoints file, YAML or JSON:
 *
 *     endpoints:
 *     - name: a             # may be empty
 *       namespace: ns       # default "default"
 *       address: 10.0.0.1   # IPv4
 *       port: "8000"        # text
 *       labels: {key: value}
 *
 * As stock: unknown keys are ignored, keys are found in any case, of entries with one id (namespace/name) the last
 * counts, an empty file is a file without endpoints. An entry with a wrong address or port is an error of that entry,
 * the others apply; a value of a wrong type (a numeric port) is an error of the file.
 *
 * @param name What errors call the file.
 * @param areClusters Endpoints are clusters: an address may be a host name or of IPv6, and the labels metricsAddress and,
 * with it, metricsPort tell where the metrics page is. As stock, nothing is said against wrong ones here.
 */
export function readEndpointsFile(text: string, name = "endpoints file", areClusters = false): EndpointsFile {
  return new Reader(text, name, areClusters).read();
}

/** Thrown within the reader alone. */
class FatalError extends Error {}

class Reader {
  readonly #lines = new LineCounter();
  readonly #errors: string[] = [];
  #errorCount = 0;
  #merges = 0;
  readonly #text: string;
  readonly #name: string;
  readonly #areClusters: boolean;
  #document!: Document.Parsed;
  readonly #targets = new Map<Node, Node>();

  constructor(text: string, name: string, areClusters: boolean) {
    this.#text = text;
    this.#name = name;
    this.#areClusters = areClusters;
  }

  read(): EndpointsFile {
    if (new TextEncoder().encode(this.#text).length > ENDPOINTS_FILE_BYTES_MAX) {
      const error = `Cannot read ${this.#name}: it has more than ${ENDPOINTS_FILE_BYTES_MAX} bytes`;
      return { endpoints: [], errors: [error], fatal: true, blank: false };
    }
    const endpoints = new Map<string, EndpointDescription>();
    try {
      const root = this.#root();
      for (const entry of this.#entries(root)) {
        const endpoint = this.#entry(entry);
        if (endpoint) endpoints.set(endpoint.id, endpoint);
      }
      return { endpoints: [...endpoints.values()], errors: this.#allErrors(), fatal: false, blank: isNothing(root) };
    } catch (error) {
      if (!(error instanceof FatalError)) throw error;
      return { endpoints: [], errors: [error.message], fatal: true, blank: false };
    }
  }

  #root(): Node | null {
    const documents = this.#parse();
    if (!Array.isArray(documents) || documents.length === 0) return null;
    this.#document = documents[0];
    const [error] = this.#document.errors;
    if (error) throw new FatalError(this.#message(error.pos[0], `not YAML: ${error.message.split(/ at line |\n/)[0]}`));
    this.#noteAliases();
    return this.#document.contents;
  }

  #parse() {
    if (isNestedDeeper(this.#text, NESTING_MAX))
      throw new FatalError(`Cannot read ${this.#name}: it is nested more than ${NESTING_MAX} levels deep`);
    try {
      // YAML 1.1 is what the stock picker reads: `port: 010` and `name: yes` are no text there.
      return parseAllDocuments(this.#text, {
        lineCounter: this.#lines,
        version: "1.1",
        uniqueKeys: false,
        logLevel: "silent",
        prettyErrors: false,
        customTags: (tags) => tags.filter((tag) => typeof tag === "string" || !isTime(tag)),
      });
    } catch (error) {
      throw new FatalError(
        `Cannot read ${this.#name}: not YAML: ${error instanceof Error ? error.message : "unknown"}`,
      );
    }
  }

  #entries(root: Node | null): readonly Node[] {
    if (isNothing(root)) return [];
    const list = this.#field(root!, "endpoints", "the file");
    if (isNothing(list)) return [];
    if (!isSeq(list)) throw this.#fatal(list!, "endpoints", "a list");
    return (list.items as Node[]).map((item) => this.#resolve(item)!);
  }

  #entry(node: Node | null): EndpointDescription | undefined {
    const entry = isNothing(node) ? undefined : node!;
    const field = (key: string) => (entry ? this.#string(this.#field(entry, key, "an entry of endpoints"), key) : "");
    const name = field("name");
    const namespace = field("namespace") || "default";
    const address = field("address");
    const port = field("port");
    const labels = entry ? this.#labels(this.#field(entry, "labels", "an entry of endpoints")) : {};
    const wrong = (key: string, value: string, expected: string) => {
      const at = (entry && this.#field(entry, key, "")) ?? node;
      const found = value === "" ? "has no" : `has the wrong`;
      const what = value === "" ? `${key}: expected ${expected}` : `${key} ${shown(value)}: expected ${expected}`;
      this.#error(at?.range?.[0] ?? 0, `endpoint ${JSON.stringify(name)} ${found} ${what}`);
      return undefined;
    };
    if (this.#areClusters) {
      if (!isHost(address)) return wrong("address", address, "an IP address or a host name in lower case");
    } else if (!isIpv4(address)) return wrong("address", address, "an IPv4 address such as 10.0.0.1");
    if (!PORT.test(port) || Number(port) < 1 || Number(port) > PORT_MAX)
      return wrong("port", port, `a number from 1 to ${PORT_MAX} in quotes`);
    const id = `${namespace}/${name}`;
    return {
      id,
      namespace,
      name,
      address,
      port: Number(port),
      metricsHost: this.#areClusters ? clusterMetricsHost(address, port, labels) : hostPort(address, Number(port)),
      labels,
    };
  }

  #labels(node: Node | null): Record<string, string> {
    if (isNothing(node)) return {};
    if (!isMap(node)) throw this.#fatal(node!, "labels", "a map of texts");
    const labels: [string, string][] = node.items.map((pair) => {
      const key = this.#resolve(pair.key as Node | null);
      if (!isScalar(key) || key.value === null || isMergeKey(key))
        throw this.#fatal(key ?? node, "a label's name", "text");
      const name = typeof key.value === "string" ? key.value : JSON.stringify(key.value);
      return [name, this.#string(this.#resolve(pair.value as Node | null), `label ${name}`)];
    });
    return Object.fromEntries(labels);
  }

  /** Value of a key: the one written just so, else one that differs in case, else a merged one; the last of several. */
  #field(node: Node, key: string, what: string, depth = 0): Node | null {
    if (!isMap(node)) throw this.#fatal(node, what, "a map");
    const named = (matches: (name: string) => boolean) =>
      node.items.findLast((pair) => isScalar(pair.key) && matches(String(pair.key.value)));
    const pair = named((name) => name === key) ?? named((name) => name.toLowerCase() === key.toLowerCase());
    if (pair) return this.#resolve(pair.value as Node | null);
    if (depth === MERGE_DEPTH_MAX) return null;
    const merge = this.#resolve((node.items.find((item) => isMergeKey(item.key))?.value ?? null) as Node | null);
    if (isNothing(merge)) return null;
    for (const item of isSeq(merge) ? (merge.items as Node[]) : [merge]) {
      if (++this.#merges > MERGES_MAX)
        throw new FatalError(`Cannot read ${this.#name}: it merges maps more than ${MERGES_MAX} times`);
      const merged = this.#resolve(item);
      const found = isMap(merged) ? this.#field(merged, key, what, depth + 1) : null;
      if (found) return found;
    }
    return null;
  }

  #resolve(node: Node | null): Node | null {
    if (!isAlias(node)) return node;
    const target = this.#targets.get(node);
    if (target) return target;
    throw new FatalError(this.#message(node.range?.[0] ?? 0, `not YAML: nothing has the anchor ${node.source}`));
  }

  /** Notes what each alias stands for: asking the library for one walks the whole document. */
  #noteAliases(): void {
    const anchors = new Map<string, Node>();
    visit(this.#document, {
      Node: (_, node) => {
        if (isAlias(node)) {
          const target = anchors.get(node.source);
          if (target) this.#targets.set(node, target);
        } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
      },
    });
  }

  #string(node: Node | null, what: string): string {
    if (isNothing(node)) return "";
    if (isScalar(node) && typeof node.value === "string") return node.value;
    const hint = isScalar(node) ? `text, in quotes: ${shown(node.source ?? String(node.value))}` : "text";
    throw this.#fatal(node!, what, hint);
  }

  #fatal(node: Node, what: string, expected: string): FatalError {
    const found = isScalar(node)
      ? (node.source ?? String(node.value)).slice(0, SHOWN_MAX)
      : isMap(node)
        ? "a map"
        : "a list";
    return new FatalError(this.#message(node.range?.[0] ?? 0, `${what} is ${found}, expected ${expected}`));
  }

  #error(offset: number, what: string): void {
    if (this.#errorCount++ < ERRORS_MAX) this.#errors.push(this.#message(offset, what));
  }

  #allErrors(): string[] {
    const more = this.#errorCount - this.#errors.length;
    return more > 0 ? [...this.#errors, `Cannot read ${this.#name}: ${more} more errors`] : this.#errors;
  }

  #message(offset: number, what: string): string {
    const { line, col } = this.#lines.linePos(offset);
    return `Cannot read ${this.#name}:${line}:${col}: ${what}`;
  }
}

/** Where the metrics page of a cluster is: `host:port`. */
function clusterMetricsHost(address: string, port: string, labels: Readonly<Record<string, string>>): string {
  const host = Object.hasOwn(labels, "metricsAddress") ? labels["metricsAddress"] : "";
  const ownPort = Object.hasOwn(labels, "metricsPort") ? labels["metricsPort"] : "";
  if (host === "") return hostPort(address, Number(port));
  return `${host.includes(":") ? `[${host}]` : host}:${ownPort || Number(port)}`;
}

/** Times of day and dates, which the stock picker's YAML takes for text. */
const isTime = (tag: { readonly tag: string; readonly format?: string }): boolean =>
  tag.tag.endsWith(":timestamp") || tag.format === "TIME";

const isMergeKey = (key: unknown): boolean => isScalar(key) && key.source === "<<" && key.type === "PLAIN";

const isNothing = (node: Node | null): boolean => node === null || (isScalar(node) && node.value === null);

const shown = (text: string): string =>
  JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text);

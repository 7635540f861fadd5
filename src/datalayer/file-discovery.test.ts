import { mkdtemp, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FileDiscovery, type FileDiscoveryOptions, createFileDiscovery } from "./file-discovery.ts";

const entry = (name: string, address: string, more = "") =>
  `- name: ${name}\n  address: ${address}\n  port: "8000"\n${more}`;
const file = (...entries: string[]) => `endpoints:\n${entries.join("")}`;
const A = entry("a", "10.0.0.1");
const B = entry("b", "10.0.0.2");

let folder: string;
const running: FileDiscovery[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "warmpath-endpoints-"));
});
afterEach(async () => {
  for (const discovery of running.splice(0)) discovery.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A discovery whose calls are noted in order: `+id address`, `-id`, `!problem`. */
class Watch {
  readonly calls: string[] = [];
  readonly discovery: FileDiscovery;
  #wake: (() => void) | undefined;
  #seen = 0;

  constructor(path: string, options: Partial<FileDiscoveryOptions> = {}) {
    const note = (call: string) => {
      this.calls.push(call);
      this.#wake?.();
    };
    this.discovery = createFileDiscovery(
      { path, watchFile: true, settleMs: 5, ...options },
      {
        upsert: ({ id, address, labels }) =>
          note(`+${id} ${address}${Object.keys(labels).length > 0 ? ` ${JSON.stringify(labels)}` : ""}`),
        remove: (id) => note(`-${id}`),
        problem: (message) => note(`!${message}`),
      },
    );
    running.push(this.discovery);
  }

  /** The next `count` calls. */
  async next(count: number): Promise<string[]> {
    while (this.calls.length < this.#seen + count) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#seen += count;
    return this.calls.slice(this.#seen - count, this.#seen);
  }
}

async function started(path: string, options: Partial<FileDiscoveryOptions> = {}): Promise<Watch> {
  const watch = new Watch(path, options);
  await watch.discovery.start();
  return watch;
}

describe("file discovery, at the start", () => {
  const path = () => join(folder, "endpoints.yaml");

  it("hands over the endpoints in order", async () => {
    await writeFile(path(), file(B, A));
    const watch = await started(path());
    expect(watch.calls).toEqual(["+default/b 10.0.0.2", "+default/a 10.0.0.1"]);
  });

  it("takes an empty file", async () => {
    await writeFile(path(), "");
    expect((await started(path())).calls).toEqual([]);
  });

  it.each<[string, string | Uint8Array | undefined, RegExp]>([
    ["is missing", undefined, /^Cannot read the endpoints file .*endpoints\.yaml: no such file$/],
    ["is not YAML", "{{{", /^Cannot read .*endpoints\.yaml:1:\d+: not YAML/],
    ["is not UTF-8", Uint8Array.of(0x23, 0xff, 0x0a), /endpoints\.yaml: it is not UTF-8$/],
    ["is larger than 1 MiB", "#".repeat((1 << 20) + 1), /more than 1048576 bytes$/],
    ["has one wrong entry", file(A, entry("b", "x")), /:6:12: endpoint "b" has the wrong address "x"/],
    ["has a numeric port", file("- name: a\n  address: 10.0.0.1\n  port: 8000\n"), /:4:9: port is 8000, expected text/],
  ])("rejects and hands over nothing when the file %s", async (_, content, error) => {
    if (content !== undefined) await writeFile(path(), content);
    const watch = new Watch(path());
    await expect(watch.discovery.start()).rejects.toThrow(error);
    expect(watch.calls).toEqual([]);
  });

  it("rejects a folder", async () => {
    await mkdir(path());
    await expect(new Watch(path()).discovery.start()).rejects.toThrow(/it is not a file$|EISDIR$/);
  });
});

// Once by the system's word alone, once by looking now and then alone.
describe.each([
  ["told by the system", { pollIntervalMs: 60_000 }],
  ["by looking now and then", { pollIntervalMs: 10, settleMs: 1 }],
])("file discovery, watching %s", (_, options) => {
  const path = () => join(folder, "endpoints.yaml");

  it("hands over only what changed", async () => {
    await writeFile(path(), file(A, B));
    const watch = await started(path(), options);
    await watch.next(2);
    await writeFile(path(), file(A, entry("c", "10.0.0.3"), entry("b", "10.0.0.2", "  labels: {x: z}\n")));
    expect(await watch.next(2)).toEqual(["+default/c 10.0.0.3", '+default/b 10.0.0.2 {"x":"z"}']);
    await writeFile(path(), file(entry("a", "10.0.0.9"), entry("b", "10.0.0.2")));
    expect(await watch.next(3)).toEqual(["-default/c", "+default/a 10.0.0.9", "+default/b 10.0.0.2"]);
  });

  it("follows a file that editors rename over", async () => {
    await writeFile(path(), file(A));
    const watch = await started(path(), options);
    await watch.next(1);
    for (const last of [2, 3, 4]) {
      await writeFile(join(folder, ".endpoints.tmp"), file(A, entry(`n${last}`, `10.0.0.${last}`)));
      await rename(join(folder, ".endpoints.tmp"), path());
      const calls = await watch.next(last === 2 ? 1 : 2);
      expect(calls.at(-1)).toBe(`+default/n${last} 10.0.0.${last}`);
    }
  });

  it("follows a mounted ConfigMap, which swaps a link of a folder", async () => {
    const version = async (name: string, content: string) => {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, "endpoints.yaml"), content);
      await symlink(name, join(folder, "..data_tmp"));
      await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    };
    await version("..v1", file(A));
    await symlink("..data/endpoints.yaml", path());
    const watch = await started(path(), options);
    await watch.next(1);
    await version("..v2", file(B));
    await rm(join(folder, "..v1"), { recursive: true });
    expect(await watch.next(2)).toEqual(["-default/a", "+default/b 10.0.0.2"]);
    await version("..v3", file(A, B));
    expect(await watch.next(1)).toEqual(["+default/a 10.0.0.1"]);
  });

  it("keeps the endpoints while the file is missing, broken or emptied, and goes on after", async () => {
    await writeFile(path(), file(A));
    const watch = await started(path(), options);
    await watch.next(1);
    await rm(path());
    expect(await watch.next(1)).toEqual([
      `!Cannot read the endpoints file ${path()}: no such file; the 1 endpoints known stay`,
    ]);
    await writeFile(path(), "{{{");
    expect(await watch.next(1)).toEqual([
      expect.stringMatching(/^!Cannot read .*:1:\d+: not YAML.*; the 1 endpoints known stay$/),
    ]);
    await writeFile(path(), "");
    expect(await watch.next(1)).toEqual([
      expect.stringMatching(/: it is empty; the 1 endpoints known stay \(to remove all, write: endpoints: \[\]\)$/),
    ]);
    await writeFile(path(), file(A, B));
    expect(await watch.next(1)).toEqual(["+default/b 10.0.0.2"]);
    await writeFile(path(), "endpoints: []\n");
    expect(await watch.next(2)).toEqual(["-default/a", "-default/b"]);
  });

  it("applies the valid entries of a file with wrong ones, and tells of those", async () => {
    await writeFile(path(), file(A, B));
    const watch = await started(path(), options);
    await watch.next(2);
    await writeFile(path(), file(A, entry("b", "nowhere"), entry("c", "10.0.0.3")));
    expect(await watch.next(3)).toEqual([
      "-default/b",
      "+default/c 10.0.0.3",
      expect.stringMatching(/^!Cannot read .*:6:12: endpoint "b" has the wrong address "nowhere"/),
    ]);
  });
});

describe("file discovery", () => {
  it("does not look again when it is not to watch, nor after it was stopped", async () => {
    const [once, stopped, live] = ["once", "stopped", "live"].map((name) => join(folder, name));
    for (const path of [once, stopped, live]) await writeFile(path, file(A));
    const watches = [
      await started(once, { watchFile: false, pollIntervalMs: 5 }),
      await started(stopped, { pollIntervalMs: 5 }),
    ];
    watches[1].discovery.stop();
    const other = await started(live, { pollIntervalMs: 5 });
    await other.next(1);
    for (const path of [once, stopped, live]) await writeFile(path, file(A, B));
    await other.next(1);
    // Ten more changes of the live file later, the others have said nothing.
    for (let k = 3; k < 13; k++) {
      await writeFile(live, file(A, entry("b", `10.0.0.${k}`)));
      await other.next(1);
    }
    for (const watch of watches) expect(watch.calls).toEqual(["+default/a 10.0.0.1"]);
  });

  it("reads a file that never comes to rest after settleMsMax", async () => {
    const path = join(folder, "restless");
    await writeFile(path, file(A));
    const watch = await started(path, { pollIntervalMs: 5, settleMs: 5, settleMsMax: 40 });
    await watch.next(1);
    const stop = new AbortController();
    const writer = (async () => {
      for (let k = 0; !stop.signal.aborted; k++) await writeFile(path, `${file(A, B)}# ${k}\n`);
    })();
    const calls = await watch.next(1);
    stop.abort();
    await writer;
    // It may have met the file while it was cut for writing; then the next look brings it.
    if (calls[0].startsWith("!")) expect((await watch.next(1)).length).toBe(1);
    else expect(calls).toEqual(["+default/b 10.0.0.2"]);
  });
});

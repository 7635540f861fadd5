import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseEppFlags } from "./epp-flags.ts";

describe("any command line", () => {
  const VALUES: readonly (readonly [name: string, values: readonly string[]])[] = [
    ["grpc-port", ["1", "0x10", "9002"]],
    ["pool-name", ["a", "b=c", "-x"]],
    ["secure-serving", ["true", "false", "0", "T"]],
    ["drain-timeout", ["1s", "1m30s", "0"]],
    ["grpc-max-recv-msg-size", ["10MiB", "25MB"]],
    ["model-server-metrics-port", ["1", "9100"]],
    ["lora-info-metric", ["l", "l{a=b}"]],
    ["zap-log-level", ["debug", "5"]],
  ];
  const camel = (name: string) => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const use = fc
    .constantFrom(...VALUES)
    .chain(([name, values]) => fc.record({ name: fc.constant(name), value: fc.constantFrom(...values) }));
  const written = ({ name, value }: { name: string; value: string }, spelling: number): readonly string[] => {
    const spelled = `${spelling & 1 ? "-" : "--"}${spelling & 2 ? camel(name) : name}`;
    const joined = (spelling & 4) !== 0 || name === "secure-serving";
    return joined ? [`${spelled}=${value}`] : [spelled, value];
  };
  const valuesOf = (argv: readonly string[]) => {
    const parsed = parseEppFlags(["--pool-name=p", ...argv], {});
    return parsed.ok ? parsed.flags : parsed.errors;
  };

  it("comes to one value of a flag in any spelling", () => {
    const uses = fc.array(fc.tuple(use, fc.nat(7)), { maxLength: 8 });
    fc.assert(
      fc.property(uses, (some) => {
        const plain = some.flatMap(([one]) => written(one, 4));
        expect(valuesOf(some.flatMap(([one, spelling]) => written(one, spelling)))).toEqual(valuesOf(plain));
      }),
    );
  });

  it("comes to the same in any order of its flags", () => {
    const uses = fc.uniqueArray(use, { selector: ({ name }) => name, maxLength: 8 });
    const shuffled = uses.chain((some) =>
      fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length })),
    );
    fc.assert(
      fc.property(shuffled, ([some, others]) => {
        const line = (all: typeof some) => all.flatMap((one) => written(one, 0));
        expect(valuesOf(line(others))).toEqual(valuesOf(line(some)));
      }),
    );
  });

  it("loses no known flag to unknown ones and stray words between them", () => {
    const noise = fc.constantFrom(
      ["--zzz"],
      ["--zzz=1"],
      ["--zzz", "word"],
      ["-Zzz", "-5"],
      [""],
      ["word"],
      ["-"],
      ["-5"],
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(use, noise), { maxLength: 8 }), (some) => {
        const noisy = some.flatMap(([one, stray], i) => [...stray, ...written(one, i % 8)]);
        expect(valuesOf(noisy)).toEqual(valuesOf(some.flatMap(([one]) => written(one, 4))));
      }),
    );
  });

  it("never throws", () => {
    const names = fc.constantFrom(...VALUES.flatMap(([name]) => [`--${name}`, `-${camel(name)}`]));
    const other = fc.constantFrom("--", "-", "-v", "--v", "-v4", "--strict-config", "--kubeconfig", "--=", "---x", "");
    const argument = fc.oneof(fc.string(), names, other);
    fc.assert(
      fc.property(fc.array(argument), (argv) => {
        const parsed = parseEppFlags(argv, {});
        if (!parsed.ok) for (const error of parsed.errors) expect(error).toMatch(/^Cannot (use|find) /);
      }),
    );
  });
});

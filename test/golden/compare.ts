import type { AnswerHeader, AnswerMessage, Answers, Case, Described, StreamAnswers } from "./cases.ts";

/**
 * Says where answers differ from recorded ones, by the rules of the recordings' README: scores decide; equal best
 * scores are drawn by chance, so any endpoint with the recorded best score is right; headers are a set; texts that the
 * Go runtime made are compared up to where they begin.
 */
export interface Difference {
  readonly where: string;
  readonly what: string;
  readonly want: unknown;
  readonly got: unknown;
}

/** `undecided`: a draw fell otherwise and the case is stateful, so the rest was not compared. */
export interface Compared {
  readonly differences: readonly Difference[];
  readonly undecided: boolean;
}

const DESTINATION = "x-gateway-destination-endpoint";
const SCORES = "x-gateway-destination-endpoint-scores";
const DATA_PARALLEL = "x-data-parallel-host-port";
const TRACE_HEADERS = new Set(["traceparent", "tracestate", "baggage"]);
const SCORE_TOLERANCE = 1e-9;
const GO_TEXTS = [
  "error unmarshaling request bodyMap: ",
  "error unmarshaling request body: ",
  "error parsing messages request: ",
];
const BARE_GO_TEXT =
  /^(inference error: BadRequest - (?:invalid generate request: )?)(?:json: |invalid character |unexpected end of JSON)/;

export interface CompareOptions {
  /** Compares request bodies; default: equal by bytes. */
  readonly sameBody?: (want: Described | undefined, got: Described | undefined, where: string) => boolean;
  /** Leaves out Content-Length where a body may differ. */
  readonly ignoreContentLength?: (stream: string) => boolean;
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const near = (a: number, b: number) => Math.abs(a - b) <= SCORE_TOLERANCE || (Number.isNaN(a) && Number.isNaN(b));
const header = (message: AnswerMessage, key: string) => message.set_headers?.find(([k]) => k === key)?.[1];

export function compareAnswers(testCase: Case, want: Answers, got: Answers, options: CompareOptions = {}): Compared {
  const differences: Difference[] = [];
  const add = (where: string, what: string, w: unknown, g: unknown) =>
    void differences.push({ where, what, want: w, got: g });
  if (want.start !== "serving" || got.start !== "serving") {
    if ((want.start === "serving") !== (got.start === "serving")) add("start", "start", want.start, got.start);
    return { differences, undecided: false };
  }
  for (const name of streamsInOrder(testCase, want)) {
    const answers = got.streams[name];
    if (!answers) {
      add(name, "stream", want.streams[name], undefined);
      continue;
    }
    const otherPick = compareStream({ testCase, name, add, options }, want.streams[name], answers);
    if (otherPick && testCase.stateful) return { differences, undecided: true };
  }
  return { differences, undecided: false };
}

function streamsInOrder(testCase: Case, want: Answers): string[] {
  const names = new Set(testCase.steps.map((step) => step.send ?? step.end ?? step.cancel ?? ""));
  return [...names].filter((name) => want.streams[name]);
}

interface Context {
  readonly testCase: Case;
  readonly name: string;
  readonly options: CompareOptions;
  add(where: string, what: string, want: unknown, got: unknown): void;
}

/** True when another endpoint was picked than recorded, rightly. */
function compareStream(context: Context, want: StreamAnswers, got: StreamAnswers): boolean {
  const { name, add } = context;
  const shape = (stream: StreamAnswers) => stream.messages.map((m) => `${m.after}:${m.type}`);
  if (!same(shape(want), shape(got))) add(name, "sequence", shape(want), shape(got));
  if (want.status.code !== got.status.code) add(name, "status", want.status, got.status);
  let otherPick = false;
  for (let i = 0; i < Math.min(want.messages.length, got.messages.length); i++) {
    if (want.messages[i].type !== got.messages[i].type) break;
    const wanted = otherPick ? withToken(context.testCase, want, got, want.messages[i]) : want.messages[i];
    if (compareMessage(context, `${name}[${i}]`, wanted, got.messages[i])) otherPick = true;
  }
  return otherPick;
}

/** A session token names the picked endpoint: after another pick it must name that one. */
function withToken(testCase: Case, want: StreamAnswers, got: StreamAnswers, message: AnswerMessage): AnswerMessage {
  const tokenOf = (stream: StreamAnswers) => {
    const pick = stream.messages.map((m) => header(m, DESTINATION)).find((v) => typeof v === "string");
    const endpoint = testCase.endpoints.find((e) => `${e.address}:${e.port}` === String(pick).split(",")[0]);
    return endpoint && btoa(`${endpoint.namespace ?? "default"}/${endpoint.name}`);
  };
  const wantToken = tokenOf(want);
  const gotToken = tokenOf(got);
  if (!wantToken || !gotToken || !message.set_headers) return message;
  const set_headers = message.set_headers.map(
    ([key, value, ...rest]) => [key, value === wantToken ? gotToken : value, ...rest] as unknown as AnswerHeader,
  );
  return { ...message, set_headers };
}

const PLAIN_FIELDS = [
  "whole_body",
  "clear_body",
  "end_of_stream",
  "status",
  "clear_route_cache",
  "remove_headers",
  "code",
  "grpc_status",
] as const;

function compareMessage(context: Context, where: string, want: AnswerMessage, got: AnswerMessage): boolean {
  const { add, options } = context;
  for (const field of PLAIN_FIELDS) if (!same(want[field], got[field])) add(where, field, want[field], got[field]);
  if (want.type === "immediate_response") {
    if (!sameText(want.body, got.body)) add(where, "text", want.body, got.body);
  } else if (!(options.sameBody?.(want.body, got.body, where) ?? same(want.body, got.body))) {
    add(where, "body", want.body, got.body);
  }
  const picked = comparePick(context, where, want, got);
  const listed = (message: AnswerMessage) =>
    (message.set_headers ?? [])
      .filter(([key]) => !TRACE_HEADERS.has(key))
      .filter(([key]) => picked === "same" || (key !== DESTINATION && key !== DATA_PARALLEL))
      .filter(([key]) => key !== "Content-Length" || !options.ignoreContentLength?.(context.name))
      .map((entry) => JSON.stringify(entry))
      .sort();
  if (!same(listed(want), listed(got))) add(where, "headers", listed(want), listed(got));
  const rest = (message: AnswerMessage) => {
    const { "envoy.lb": lb, ...others } = message.dynamic_metadata ?? {};
    const { [SCORES]: _scores, [DESTINATION]: destination, ...more } = lb ?? {};
    return sorted({ ...others, lb: lb && { ...more, ...(picked === "same" && { destination }) } });
  };
  if (!same(rest(want), rest(got))) add(where, "metadata", rest(want), rest(got));
  return picked === "other";
}

type PickVerdict = "same" | "other" | "other without trace";

/** Scores must match; the picked endpoints must be ones that the stock picker could have picked. */
function comparePick(context: Context, where: string, want: AnswerMessage, got: AnswerMessage): PickVerdict {
  const { testCase, add } = context;
  const scoresOf = (m: AnswerMessage) =>
    m.dynamic_metadata?.["envoy.lb"]?.[SCORES] as Record<string, number> | undefined;
  const wantScores = scoresOf(want);
  const gotScores = scoresOf(got);
  const keys = new Set([...Object.keys(wantScores ?? {}), ...Object.keys(gotScores ?? {})]);
  const equal = [...keys].every((key) => near(wantScores?.[key] ?? Infinity, gotScores?.[key] ?? -Infinity));
  if (!equal || !wantScores !== !gotScores) add(where, "scores", sorted(wantScores), sorted(gotScores));
  const wantPick = header(want, DESTINATION);
  const gotPick = header(got, DESTINATION);
  if (wantPick === gotPick || typeof wantPick !== "string" || typeof gotPick !== "string") return "same";
  const bodyless = testCase.steps.some((s) => s.send === context.name && s.message?.request_headers?.end_of_stream);
  const list = (message: AnswerMessage, pick: string) => {
    const parallel = header(message, DATA_PARALLEL);
    return typeof parallel === "string" ? [parallel] : pick.split(",");
  };
  const wanted = list(want, wantPick);
  const taken = list(got, gotPick);
  const allowed = wantScores
    ? allowedPicks(taken, wantScores, testCase.pick)
    : bodyless && taken.every((pick) => testCase.endpoints.some((e) => pick === `${e.address}:${e.port}`));
  if (wanted.length !== taken.length || new Set(taken).size !== taken.length || !allowed) {
    add(where, "pick", wantPick, gotPick);
    return "same";
  }
  return bodyless ? "other without trace" : "other";
}

function allowedPicks(taken: readonly string[], scores: Record<string, number>, rule: Case["pick"]): boolean {
  if (taken.some((pick) => scores[pick] === undefined)) return false;
  if (rule === "any") return true;
  const best = Object.values(scores).sort((a, b) => b - a);
  return taken.every((pick, i) => near(scores[pick], best[i]));
}

function sameText(want: Described | undefined, got: Described | undefined): boolean {
  const wantText = want && "utf8" in want ? want.utf8 : undefined;
  const gotText = got && "utf8" in got ? got.utf8 : "";
  if (wantText === undefined) return same(want, got);
  const bare = BARE_GO_TEXT.exec(wantText);
  const goText = GO_TEXTS.find((text) => wantText.includes(text));
  if (!bare && goText === undefined) return wantText === gotText;
  const end = bare ? bare[1].length : wantText.indexOf(goText!) + goText!.length;
  return wantText.slice(0, end) === gotText.slice(0, end);
}

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

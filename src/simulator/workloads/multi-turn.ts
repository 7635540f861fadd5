import type { ChatMessage } from "../engine/chat-template.ts";
import { createSeededRandom } from "../engine/seeded-random.ts";
import { createLexicon, createSeededText, type Lexicon, type SeededText } from "./seeded-text.ts";

/**
 * The multi-turn workload of the Red Hat playbook for llm-d: conversations that each start with a document of their
 * own, held by a few workers. A FIFO queue holds the conversations; a worker takes the first, thinks, sends the whole
 * history, and puts the conversation back when the answer is complete.
 *
 * A generator without time or IO: the driver asks for turns, waits `thinkUs`, sends, and reports the answers. Texts and
 * think times depend on seed, conversation and turn alone, never on the order in which turns are taken.
 */
export interface MultiTurnOptions {
  readonly seed: number;
  /** Bytes of each conversation's document; their number is the number of conversations. */
  readonly documentBytes?: readonly number[];
  /** How many of the first documents are code; the rest is prose. */
  readonly codeDocuments?: number;
  readonly turns?: number;
  readonly thinkMinUs?: number;
  readonly thinkMaxUs?: number;
  readonly outputTokensMax?: number;
  /** Requests sent before the conversations, each with a short prompt of its own; not part of the result. */
  readonly warmups?: number;
  readonly warmupOutputTokensMax?: number;
}

/** Eleven documents, 110 requests in ten turns. */
export const PLAYBOOK_DOCUMENT_BYTES: readonly number[] = [
  24_572, 13_856, 20_255, 12_199, 22_646, 13_827, 50_390, 20_335, 47_346, 29_346, 56_176,
];
/** Workers of the playbook's run: the conversations that are under way at once. */
export const PLAYBOOK_WORKERS = 4;
const CODE_DOCUMENTS = 5;

/** One request to be sent. */
export interface Turn {
  readonly id: string;
  /** From 0; -1 for a warm-up. */
  readonly conversation: number;
  /** From 1. */
  readonly turn: number;
  readonly warmup: boolean;
  /** Model time to wait between taking the turn and sending it. */
  readonly thinkUs: number;
  readonly messages: readonly ChatMessage[];
  readonly outputTokensMax: number;
}

export interface MultiTurnWorkload {
  /** Requests in all, without warm-ups. */
  readonly requests: number;
  readonly warmups: number;
  /** The next turn, undefined while all conversations are held by others (ask again after an answer) or at the end. */
  take(): Turn | undefined;
  /** Reports the answer to a turn that was taken; an error counts as an empty answer. */
  complete(turn: Turn, answer: string): void;
  /** True when each turn was taken and completed. */
  done(): boolean;
}

export function createMultiTurnWorkload(options: MultiTurnOptions): MultiTurnWorkload {
  const settings = { ...DEFAULTS, ...options, lexicon: createLexicon(options.seed) };
  const { turns, warmups, documentBytes } = settings;
  const histories: ChatMessage[][] = documentBytes.map(() => []);
  const taken = documentBytes.map(() => 0);
  const queue = documentBytes.map((_, conversation) => conversation);
  const underWay = new Set<string>();
  let warmupsTaken = 0;

  const take = (): Turn | undefined => {
    const turn = warmupsTaken < warmups ? makeWarmup(settings, ++warmupsTaken) : nextTurn();
    if (turn) underWay.add(turn.id);
    return turn;
  };
  const nextTurn = (): Turn | undefined => {
    const conversation = queue.shift();
    if (conversation === undefined) return undefined;
    const turn = ++taken[conversation];
    const history = histories[conversation];
    history.push({ role: "user", content: userMessage(settings, conversation, turn) });
    return makeTurn(settings, conversation, turn, [...history]);
  };
  const complete = (turn: Turn, answer: string): void => {
    if (!underWay.delete(turn.id)) throw new Error(`Cannot complete turn ${turn.id}: it is not under way`);
    if (turn.warmup) return;
    histories[turn.conversation].push({ role: "assistant", content: answer });
    if (turn.turn < turns) queue.push(turn.conversation);
  };
  return {
    requests: documentBytes.length * turns,
    warmups,
    take,
    complete,
    done: () => warmupsTaken === warmups && queue.length === 0 && underWay.size === 0,
  };
}

const DEFAULTS = {
  documentBytes: PLAYBOOK_DOCUMENT_BYTES,
  codeDocuments: CODE_DOCUMENTS,
  turns: 10,
  thinkMinUs: 500_000,
  thinkMaxUs: 2_000_000,
  outputTokensMax: 500,
  warmups: 0,
  warmupOutputTokensMax: 50,
};
type Settings = typeof DEFAULTS & MultiTurnOptions & { readonly lexicon: Lexicon };

function makeTurn(settings: Settings, conversation: number, turn: number, messages: readonly ChatMessage[]): Turn {
  const random = createSeededRandom(settings.seed, `think/${conversation}/${turn}`);
  return {
    id: `c${conversation}-t${turn}`,
    conversation,
    turn,
    warmup: false,
    thinkUs: random.between(settings.thinkMinUs, settings.thinkMaxUs),
    messages,
    outputTokensMax: settings.outputTokensMax,
  };
}

function makeWarmup(settings: Settings, number: number): Turn {
  const text = createSeededText(settings.lexicon, `warmup/${number}`);
  return {
    id: `warmup-${number}`,
    conversation: -1,
    turn: number,
    warmup: true,
    thinkUs: 0,
    messages: [{ role: "user", content: text.question(12) }],
    outputTokensMax: settings.warmupOutputTokensMax,
  };
}

/** The document and a question in the first turn, a question in the others. */
function userMessage(settings: Settings, conversation: number, turn: number): string {
  const text = createSeededText(settings.lexicon, `conversation/${conversation}/${turn}`);
  const question = text.question(10 + ((conversation * 7 + turn * 5) % 15));
  return turn === 1 ? `${seedDocument(settings, conversation, text)}\n\n${question}` : question;
}

function seedDocument(settings: Settings, conversation: number, text: SeededText): string {
  const bytes = settings.documentBytes[conversation];
  return conversation < settings.codeDocuments ? text.code(bytes) : text.prose(bytes);
}

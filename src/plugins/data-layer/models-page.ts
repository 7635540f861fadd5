/** A model as a server's list tells it (OpenAI's API, with vLLM's `parent` of a LoRA adapter). */
export type ServedModel = {
  readonly id: string;
  readonly object?: string;
  /** Seconds since 1970. */
  readonly created?: number;
  readonly ownedBy?: string;
  readonly parent?: string;
};

/** Most models of one list. */
const MODELS_MAX = 1024;
/** Most UTF-16 units of one text. */
const TEXT_LENGTH_MAX = 512;

/**
 * Reads `{"data": [{"id": ...}, ...]}`. As stock: unknown keys are ignored, null is as good as nothing, a page without
 * data is an empty list, a model without id has the id "". Returns what is wrong with it when it is none, in words.
 */
export function readModelsPage(page: Uint8Array): readonly ServedModel[] | string {
  const text = new TextDecoder().decode(page);
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return `Cannot read the list of models: it is no JSON: ${JSON.stringify(text.slice(0, 40))}`;
  }
  try {
    return modelsOf(root);
  } catch (error) {
    if (error instanceof WrongList) return `Cannot read the list of models: ${error.message}`;
    throw error;
  }
}

/** Thrown within this file alone. */
class WrongList extends Error {}

function modelsOf(root: unknown): readonly ServedModel[] {
  const list = fields(root, "the page")["data"] ?? [];
  if (!Array.isArray(list)) throw wrong("data", list, "a list");
  if (list.length > MODELS_MAX) throw new WrongList(`it has ${list.length} models, ${MODELS_MAX} are allowed`);
  return list.map((item: unknown, i) => {
    const model = fields(item, `data[${i}]`);
    const text = (key: string): string | undefined => textOf(model[key], `data[${i}].${key}`);
    const [object, ownedBy, parent] = [text("object"), text("owned_by"), text("parent")];
    const created = model["created"] ?? undefined;
    if (created !== undefined && !Number.isSafeInteger(created))
      throw wrong(`data[${i}].created`, created, "a whole number");
    return {
      id: text("id") ?? "",
      ...(object !== undefined && { object }),
      ...(created !== undefined && { created: created as number }),
      ...(ownedBy !== undefined && { ownedBy }),
      ...(parent !== undefined && { parent }),
    };
  });
}

function fields(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw wrong(where, value, "an object");
  return value as Readonly<Record<string, unknown>>;
}

function textOf(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw wrong(where, value, "text");
  if (value.length > TEXT_LENGTH_MAX)
    throw new WrongList(`${where} has ${value.length} characters, ${TEXT_LENGTH_MAX} are allowed`);
  return value;
}

const wrong = (where: string, found: unknown, expected: string): WrongList =>
  new WrongList(`${where} is ${shown(found)}, expected ${expected}`);

/** Lists and objects by their kind alone: writing one that is nested deep would overflow the stack. */
function shown(found: unknown): string {
  if (Array.isArray(found)) return "a list";
  return typeof found === "object" && found !== null ? "an object" : JSON.stringify(found).slice(0, 40);
}

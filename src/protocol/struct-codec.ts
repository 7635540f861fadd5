import type { MetadataValue, StreamMetadata } from "./messages.ts";
import { DecodeError, type ProtoReader, WIRE } from "../core/proto-reader.ts";
import type { ProtoWriter } from "./proto-writer.ts";

/** Deepest nesting of lists and objects that is read. */
const STRUCT_DEPTH_MAX = 64;

/** Field numbers of google.protobuf.Value; 1 (null) needs no reading. */
const VALUE = { null: 1, number: 2, text: 3, bool: 4, struct: 5, list: 6 } as const;

/**
 * Metadata of a message as it came (an `envoy.config.core.v3.Metadata`): looked through at each question, as most
 * messages are never asked. Malformed bytes throw a DecodeError then.
 *
 * @param open gives a fresh reader over its bytes
 */
export function metadataView(open: () => ProtoReader): StreamMetadata {
  return {
    value(namespace, key) {
      const struct = lastEntry(open(), namespace);
      const value = struct && lastEntry(struct, key);
      return value && readValue(value, 0);
    },
    has: (namespace) => lastEntry(open(), namespace) !== undefined,
  };
}

/** The value of a map entry (field 1 of the message) by its key; the last one counts. */
function lastEntry(map: ProtoReader, wanted: string): ProtoReader | undefined {
  let found: ProtoReader | undefined;
  while (map.next()) {
    if (map.field !== 1 || map.wire !== WIRE.bytes) {
      map.skip();
      continue;
    }
    const entry = readEntry(map.message());
    if (entry.key === wanted) found = entry.value;
  }
  return found;
}

function readEntry(entry: ProtoReader): { key: string; value: ProtoReader | undefined } {
  let key = "";
  let value: ProtoReader | undefined;
  while (entry.next()) {
    if (entry.field === 1 && entry.wire === WIRE.bytes) key = entry.text();
    else if (entry.field === 2 && entry.wire === WIRE.bytes) value = entry.message();
    else entry.skip();
  }
  return { key, value };
}

function readValue(reader: ProtoReader, depth: number): MetadataValue {
  if (depth > STRUCT_DEPTH_MAX) throw new DecodeError(`metadata nested deeper than ${STRUCT_DEPTH_MAX}`);
  let value: MetadataValue = null;
  while (reader.next()) {
    const { field, wire } = reader;
    if (field === VALUE.number && wire === WIRE.fixed64) value = reader.double();
    else if (field === VALUE.text && wire === WIRE.bytes) value = reader.text();
    else if (field === VALUE.bool && wire === WIRE.varint) value = reader.bool();
    else if (field === VALUE.struct && wire === WIRE.bytes) value = readStruct(reader.message(), depth);
    else if (field === VALUE.list && wire === WIRE.bytes) value = readList(reader.message(), depth);
    else reader.skip();
  }
  return value;
}

function readStruct(reader: ProtoReader, depth: number): MetadataValue {
  const fields = new Map<string, MetadataValue>();
  while (reader.next()) {
    if (reader.field !== 1 || reader.wire !== WIRE.bytes) {
      reader.skip();
      continue;
    }
    const { key, value } = readEntry(reader.message());
    fields.set(key, value ? readValue(value, depth + 1) : null);
  }
  return Object.fromEntries(fields);
}

function readList(reader: ProtoReader, depth: number): MetadataValue {
  const values: MetadataValue[] = [];
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE.bytes) values.push(readValue(reader.message(), depth + 1));
    else reader.skip();
  }
  return values;
}

/** Writes the content of a google.protobuf.Struct. */
export function writeStruct(writer: ProtoWriter, fields: { readonly [key: string]: MetadataValue }): void {
  for (const [key, value] of Object.entries(fields).reverse()) {
    const entry = writer.mark();
    writeValue(writer, value);
    writer.close(2, entry);
    writer.text(1, key);
    writer.close(1, entry);
  }
}

function writeValue(writer: ProtoWriter, value: MetadataValue): void {
  if (value === null) writer.number(VALUE.null, 0);
  else if (typeof value === "number") writer.double(VALUE.number, value);
  else if (typeof value === "string") writer.text(VALUE.text, value);
  else if (typeof value === "boolean") writer.number(VALUE.bool, value ? 1 : 0);
  else {
    const mark = writer.mark();
    if (isList(value)) {
      for (let i = value.length - 1; i >= 0; i--) {
        const item = writer.mark();
        writeValue(writer, value[i]);
        writer.close(1, item);
      }
      writer.close(VALUE.list, mark);
    } else {
      writeStruct(writer, value);
      writer.close(VALUE.struct, mark);
    }
  }
}

const isList = (value: MetadataValue): value is readonly MetadataValue[] => Array.isArray(value);

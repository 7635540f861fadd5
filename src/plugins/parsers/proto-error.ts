import { DecodeError } from "../../core/proto-reader.ts";
import { isUtf8 } from "./utf8.ts";

class InvalidUtf8Error extends DecodeError {}

/** Throws when the bytes of a string field are no UTF-8. @param field its full name */
export function checkUtf8(bytes: Uint8Array, field: string): void {
  if (!isUtf8(bytes, 0, bytes.length)) throw new InvalidUtf8Error(`field ${field} contains invalid UTF-8`);
}

/** What Go says of a protobuf message that `read` can't read; rethrows what is no DecodeError. */
export function readOrExplain<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return error instanceof InvalidUtf8Error
      ? `proto: ${error.message}`
      : "proto: cannot parse invalid wire-format data";
  }
}

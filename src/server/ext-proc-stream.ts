import type { Decision } from "../core/decision.ts";
import { createResponseEncoder, decodeRequest } from "../protocol/codec.ts";
import type { ExchangeMeter } from "../protocol/exchange-meter.ts";
import { ExtProcMachine } from "../protocol/ext-proc-machine.ts";
import type { MachineHost, MachineOptions } from "../protocol/machine-options.ts";
import { bodyBytesOf } from "../protocol/messages.ts";
import { DecodeError } from "../core/proto-reader.ts";
import { guardedMeters } from "./guarded-meters.ts";
import type { PickerPort } from "./picker-port.ts";
import type { ServerStream, StreamEvents } from "./transport.ts";

/** gRPC codes of streams that fail here. */
const GRPC = { invalidArgument: 3, internal: 13 } as const;
const OK = { code: 0, details: "" };

export interface ExtProcStreamOptions {
  readonly machine: MachineOptions;
  readonly picker: PickerPort;
  /** Opens the meters of a stream; absent: nothing is measured. */
  readonly openMeters?: (() => readonly ExchangeMeter[]) | undefined;
  /** Told of an error that should not be: the stream that met it ended with INTERNAL, others go on. */
  readonly failed: (error: unknown, requestId: string | undefined) => void;
  /** Told of what the meter threw: the stream goes on. */
  readonly observerFailed?: (error: unknown) => void;
}

const encode = createResponseEncoder();

/** One ext_proc call: bytes to messages, messages to the machine, its events to the picker, its answers to bytes. */
export function serveExtProc(stream: ServerStream, options: ExtProcStreamOptions): StreamEvents {
  const { picker } = options;
  let key = -1;
  let requestId: string | undefined;
  const host: MachineHost = {
    meter: guardedMeters(options.openMeters, options.observerFailed ?? (() => undefined)),
    arrive(facts) {
      ({ requestId } = facts);
      const requester = {
        decided(decision: Decision) {
          // The decision may come before `arrive` returns.
          ({ key } = decision.facts);
          guarded(() => machine.onDecision(decision));
        },
        blocks: (blockSizeTokens: number) => machine.blocks(blockSizeTokens),
      };
      key = picker.arrive(facts, requester);
    },
    responseStarted: (word) => picker.responseStarted(key, word),
    responseFirstByte: () => picker.responseFirstByte(key),
    ended(cause, usage) {
      // -1: `arrive` failed, so the picker knows of no request.
      return key >= 0 ? picker.ended(key, cause, usage) : undefined;
    },
    send(message) {
      const bytes = bodyBytesOf(message);
      stream.send(encode(message), bytes > 0 ? () => machine.flushed(bytes) : undefined);
    },
    finish: (status) => stream.end(status),
  };
  const machine = new ExtProcMachine(options.machine, host);
  const { limits } = options.machine;

  /** Nothing that one stream brings may touch another. */
  function guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      const malformed = error instanceof DecodeError;
      const details = malformed
        ? `Cannot read ProcessingRequest: ${error.message}`
        : "Cannot serve the stream: see the log";
      stream.end({ code: malformed ? GRPC.invalidArgument : GRPC.internal, details });
      if (!malformed) options.failed(error, requestId);
      try {
        machine.closed("error");
      } catch (again) {
        options.failed(again, requestId);
      }
    }
  }

  return {
    onMessage: (bytes) => guarded(() => machine.receive(decodeRequest(bytes, limits))),
    onHalfClose() {
      guarded(() => machine.closed("finished"));
      stream.end(OK);
    },
    onClosed: () => guarded(() => machine.closed("reset")),
  };
}

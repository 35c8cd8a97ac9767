import type { Transport } from '../../tunnel/session/transport.ts';
import type { Writer } from '../../tunnel/session/writer.ts';
import { FrameType } from '../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../tunnel/wire/decode.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';

/** What is between the two ends of one direction: DATA that was sent, and credit that was given for it. */
export class CreditLedger {
  readonly #dataBytes = new Map<number, number>();
  readonly #creditBytes = new Map<number, number>();
  /** Credit that a receiver has decided to give since this was reset. */
  givenBytes = 0;

  /** DATA of a stream that was sent and has not arrived. */
  dataUnderWay(streamId: number): number {
    return this.#dataBytes.get(streamId) ?? 0;
  }

  /** Credit for a stream that was given and has not arrived, its wait in the writer included. */
  creditUnderWay(streamId: number): number {
    return this.#creditBytes.get(streamId) ?? 0;
  }

  /** The sender's connection, watched. */
  sending(transport: Transport): Transport {
    return tapped(transport, {
      onSend: (frame) => {
        if (frame.type === FrameType.Data) add(this.#dataBytes, frame.streamId, frame.data.length);
      },
      onReceive: (frame) => {
        if (frame.type === FrameType.Window) add(this.#creditBytes, frame.streamId, -frame.creditBytes);
      },
    });
  }

  /** The receiver's connection, watched. */
  receiving(transport: Transport): Transport {
    return tapped(transport, {
      onSend: () => {},
      onReceive: (frame) => {
        if (frame.type === FrameType.Data) add(this.#dataBytes, frame.streamId, -frame.data.length);
      },
    });
  }

  /** The receiver's writer, watched: here credit is given. */
  watch(writer: Writer): void {
    const give = writer.credit.bind(writer);
    writer.credit = (streamId, bytes) => {
      this.givenBytes += bytes;
      add(this.#creditBytes, streamId, bytes);
      give(streamId, bytes);
    };
  }
}

interface Taps {
  readonly onSend: (frame: Frame) => void;
  readonly onReceive: (frame: Frame) => void;
}

function tapped(transport: Transport, { onSend, onReceive }: Taps): Transport {
  return {
    send(message, written) {
      decodeMessage(message, onSend);
      transport.send(message, written);
    },
    listen(events) {
      transport.listen({
        ...events,
        onMessage(message) {
          decodeMessage(message, onReceive);
          events.onMessage(message);
        },
      });
    },
    close: (reason) => transport.close(reason),
    destroy: () => transport.destroy(),
  };
}

function add(sums: Map<number, number>, streamId: number, bytes: number): void {
  sums.set(streamId, (sums.get(streamId) ?? 0) + bytes);
}

import { Writable } from 'node:stream';
import { createLogger, type Logger } from '../../process/log.ts';

export type LogLine = Readonly<Record<string, unknown>>;

/** What a process says at its debug level, by the real logger. */
export class LogLines {
  readonly log: Logger;
  text = '';

  constructor() {
    const stream = new Writable({
      decodeStrings: false,
      write: (chunk: string, _encoding, done) => {
        this.text += chunk;
        done();
      },
    });
    this.log = createLogger({ level: 'debug', format: 'json', stream });
  }

  get all(): LogLine[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  /** Those with this message. */
  saying(message: string): LogLine[] {
    return this.all.filter((line) => line['message'] === message);
  }
}

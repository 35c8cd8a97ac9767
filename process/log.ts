import winston from 'winston';
import { redact } from './redact.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFields = Readonly<Record<string, unknown>>;

/** Constant message, facts as fields: `log.info('session opened', { tunnel, rttMs })`. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** json for machines; text for a person at a terminal. */
  readonly format: 'json' | 'text';
  /** Where lines go; stdout unless told. */
  readonly stream?: NodeJS.WritableStream;
}

const { combine, printf, timestamp } = winston.format;

/** Fields travel through winston as one member: loose ones named `message` or `stack` would change the record. */
const asText = printf(({ timestamp: time, level, message, fields }) => {
  const facts = Object.entries(fields as LogFields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [time, level.toUpperCase().padEnd(5), message, ...facts].join(' ');
});

const asJson = printf(({ timestamp: time, level, message, fields }) => {
  const own = { time, level, message };
  return JSON.stringify(Object.assign({ ...own }, fields, own));
});

/** One line per record on stdout, secrets redacted by field name. The only owner of winston. */
export function createLogger({ level, format, stream }: LogOptions): Logger {
  const logger = winston.createLogger({
    level,
    format: combine(timestamp(), format === 'json' ? asJson : asText),
    transports: [new winston.transports.Stream({ stream: stream ?? process.stdout, eol: '\n' })],
  });
  return wrap(logger, {});
}

function wrap(logger: winston.Logger, bound: LogFields): Logger {
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (!logger.isLevelEnabled(level)) return;
    logger.log({ level, message, fields: redact({ ...bound, ...fields }) });
  };
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    child: (fields) => wrap(logger, { ...bound, ...fields }),
  };
}

/** Drops everything; for tests and tools that speak otherwise. */
export const silentLogger: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silentLogger,
};

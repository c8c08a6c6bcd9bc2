/** The process log: JSON lines on stderr, for whoever runs the server. It names ids, never secrets, and no values of queries. */
import { type DestinationStream, destination, type Logger, pino, stdSerializers } from 'pino';

const hidden = ['token', 'password', 'sid', 'authorization'];

export function createProcessLog(stream: DestinationStream = destination({ fd: 2, sync: true })): Logger {
  return pino(
    {
      base: { process: 'server' },
      redact: { paths: hidden.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[hidden]' },
      serializers: { err: withoutValues },
    },
    stream,
  );
}

/** A failed query carries the values it was given in its message: what the database said about it is enough. */
function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : 'not an error';
  if (!('params' in error)) return stdSerializers.err(error);
  const { cause } = error;
  return {
    type: error.name,
    message: cause instanceof Error ? cause.message : 'a query failed',
    stack: cause instanceof Error ? cause.stack : '',
  };
}

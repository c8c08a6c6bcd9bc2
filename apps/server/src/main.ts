/** The server process. Logs JSON lines to stderr; SIGTERM and SIGINT end it within five seconds. */
import { PRODUCT_VERSION } from '@diskfleet/protocol';
import { createProcessLog } from './processLog.ts';
import { readSettings } from './settings.ts';
import { startServer } from './startServer.ts';

const log = createProcessLog();

try {
  const { settings, secrets } = readSettings(process.env);
  const server = await startServer({ settings, secrets, log });
  const stop = (signal: string) => {
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(0), 4_500).unref();
    server.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopped badly');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  log.info({ port: server.port, version: PRODUCT_VERSION }, 'ready');
} catch (error) {
  log.fatal({ err: error }, error instanceof Error ? error.message : 'the server cannot start');
  process.exit(1);
}

import pino from 'pino';
import * as z from 'zod';
import { createVaultService } from './service.ts';

const settings = z
  .object({
    DISKFLEET_VAULT_PORT: z.coerce.number().int().min(0).max(65535).default(7302),
    DISKFLEET_HOST: z.string().default('127.0.0.1'),
    DISKFLEET_VAULT_DATA: z.string().min(1),
    DISKFLEET_SERVER_PUBLIC_KEY: z.string().min(1),
    DISKFLEET_VAULT_ALLOW_LOOPBACK: z.stringbool().default(false),
  })
  .parse(process.env);

const log = pino({ name: 'vault-service' }, pino.destination(2));
const server = await createVaultService({
  dataFolder: settings.DISKFLEET_VAULT_DATA,
  serverPublicKey: settings.DISKFLEET_SERVER_PUBLIC_KEY,
  log,
  now: () => new Date(),
  allowLoopback: settings.DISKFLEET_VAULT_ALLOW_LOOPBACK,
});
server.listen(settings.DISKFLEET_VAULT_PORT, settings.DISKFLEET_HOST, 4096, () =>
  log.info({ address: server.address() }, 'ready'),
);
server.on('error', (error) => {
  log.fatal({ err: error }, 'cannot listen');
  process.exit(1);
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 5000).unref();
  });
}

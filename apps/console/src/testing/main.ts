/** `node src/testing/main.ts [port] [empty|fleet]`: the fixture server. Never part of a build. */
import { createServer } from 'node:http';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { fixtureRouter } from './router.ts';
import { emptyWorld, fleetWorld } from './world.ts';

const [port = '7391', kind = 'fleet'] = process.argv.slice(2);
const world = kind === 'empty' ? emptyWorld() : fleetWorld();
const trpc = createHTTPHandler({ router: fixtureRouter(world), basePath: '/trpc/' });

createServer((request, response) => {
  if (request.url === '/healthz')
    return response.end(JSON.stringify({ ok: true, needsOwner: world.needsOwner, version: 'fixture' }));
  if (request.url?.startsWith('/download/')) {
    response.setHeader('content-disposition', 'attachment; filename="report.txt"');
    return response.end('hello from the fixture\n');
  }
  return trpc(request, response);
}).listen(Number(port), '127.0.0.1', () => console.error(`fixture server (${kind}) on ${port}`));

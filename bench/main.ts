/** `npm run bench -- <name> [arguments]`: runs one benchmark; each prints a table and writes bench/results/<name>.json. */
const benches: Record<string, () => Promise<unknown>> = {
  dedup: () => import('./dedup/main.ts'),
  engine: () => import('./engine/main.ts'),
  vault: () => import('./vault/main.ts'),
  scale: () => import('./scale/main.ts'),
  trace: () => import('./trace/main.ts'),
  live: () => import('../e2e/live/main.ts'),
};

const [name = '', ...rest] = process.argv.slice(2);
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (!bench) {
  process.stderr.write(`usage: npm run bench -- <${Object.keys(benches).join('|')}> [arguments]\n`);
  process.exit(2);
}
process.argv = [...process.argv.slice(0, 2), ...rest];
await bench();

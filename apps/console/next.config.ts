import type { NextConfig } from 'next';

const config: NextConfig = {
  output: 'standalone',
  outputFileTracingRoot: new URL('../..', import.meta.url).pathname,
  transpilePackages: ['@diskfleet/protocol'],
  poweredByHeader: false,
  reactStrictMode: true,
  // Types are checked by `tsc -p .`: TypeScript 7 has no API that Next could call.
  typescript: { ignoreBuildErrors: true },
  turbopack: { root: new URL('../..', import.meta.url).pathname },
  // The live stream is quiet for up to 15 s, a fresh inventory may take 20 s.
  experimental: { proxyTimeout: 120_000 },
};

export default config;

import { describe, expect, it } from 'vitest';
import { contentSecurityPolicy, isAllowedHost, isCrossSite, isHiddenCall, isOpenCall, safeNextPath } from './requestRules.ts';

const headers = (init: Record<string, string>) => new Headers({ host: 'localhost:7300', ...init });

describe('isCrossSite', () => {
  it.each([
    ['POST', { origin: 'https://evil.example' }, true],
    ['POST', { origin: 'null' }, true],
    ['POST', { origin: 'http://localhost:7300' }, false],
    ['POST', { origin: 'http://localhost:9999' }, true],
    ['POST', { 'sec-fetch-site': 'cross-site' }, true],
    ['POST', { 'sec-fetch-site': 'same-site' }, true],
    ['POST', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, true],
    ['POST', { 'sec-fetch-site': 'same-origin' }, false],
    ['GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, true],
    ['GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, false],
    ['GET', { 'sec-fetch-site': 'none' }, false],
    ['POST', {}, false],
  ])('%s with %o → %s', (method, init, verdict) => {
    expect(isCrossSite(method, headers(init))).toBe(verdict);
  });
});

describe('isAllowedHost', () => {
  it.each([
    ['localhost:7300', true],
    ['127.0.0.1:7300', true],
    ['192.168.1.4:7300', true],
    ['[::1]:7300', true],
    ['console.office.example', true],
    ['evil.example', false],
    ['127.0.0.1.evil.example', false],
    ['', false],
    [null, false],
  ])('%s → %s', (host, verdict) => {
    expect(isAllowedHost(host, ['console.office.example'])).toBe(verdict);
  });
});

describe('open calls', () => {
  it('opens only set-up, and only when all calls of a batch are', () => {
    expect(isOpenCall('/api/trpc/setup.status')).toBe(true);
    expect(isOpenCall('/api/trpc/setup.status,setup.createOwner')).toBe(true);
    expect(isOpenCall('/api/trpc/setup.status,machines.list')).toBe(false);
    expect(isOpenCall('/api/trpc/auth.signIn')).toBe(false);
  });
  it('hides signing in, however it is written', () => {
    expect(isHiddenCall('/api/trpc/auth.signIn')).toBe(true);
    expect(isHiddenCall('/api/trpc/machines.list,auth%2EsignIn')).toBe(true);
    expect(isHiddenCall('/api/trpc/machines.list')).toBe(false);
  });
});

it('only follows paths of its own after signing in', () => {
  expect(safeNextPath('/machines?state=all')).toBe('/machines?state=all');
  for (const bad of ['//evil.example', 'https://evil.example', '/\\evil.example', null]) expect(safeNextPath(bad)).toBe('/');
});

it('allows no inline script or style in production', () => {
  const policy = contentSecurityPolicy('abc', false);
  expect(policy).not.toContain('unsafe');
  expect(policy).toContain("'nonce-abc'");
});

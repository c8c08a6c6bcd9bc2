'use client';
import type { ReactNode } from 'react';
import { SkeletonPage } from './Feedback';
import { useHydrated } from './Time';

/**
 * Pages hydrate after the frame around them, when its queries may have answered already: a page that drew from them at once
 * would differ from what the server sent. So every page begins as its skeleton, on the server as in the browser.
 */
export function PageGate({ children }: { children: ReactNode }) {
  return useHydrated() ? children : <SkeletonPage />;
}

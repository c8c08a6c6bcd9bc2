'use client';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from '@trpc/client';
import { signOut } from 'next-auth/react';
import { ThemeProvider } from 'next-themes';
import { NuqsAdapter } from 'nuqs/adapters/next/app';
import { type ReactNode, useEffect, useState } from 'react';
import superjson from 'superjson';
import { type AppRouter, TRPCProvider } from '@/trpc/client';
import { isNetworkError, isSignedOut } from '@/trpc/failure';
import { Toasts } from '@/ui/Toasts';
import { TooltipProvider } from '@/ui/Tooltip';

let leaving = false;

function onError(error: unknown) {
  if (!isSignedOut(error) || leaving || ['/sign-in', '/setup'].includes(window.location.pathname)) return;
  leaving = true;
  const next = encodeURIComponent(window.location.pathname + window.location.search);
  void signOut({ redirect: false }).finally(() => window.location.assign(`/sign-in?ended=1&next=${next}`));
}

function makeQueryClient() {
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: { staleTime: 5_000, retry: (count, error) => count < 3 && isNetworkError(error), refetchOnWindowFocus: true },
      mutations: { retry: false },
    },
  });
}

function makeClient() {
  const url = '/api/trpc';
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        true: httpSubscriptionLink({ url, transformer: superjson }),
        false: httpBatchLink({ url, transformer: superjson, maxURLLength: 4000 }),
      }),
    ],
  });
}

export function Providers({ nonce, children }: { nonce: string; children: ReactNode }) {
  const [queryClient] = useState(makeQueryClient);
  const [trpcClient] = useState(makeClient);
  useEffect(() => {
    // Style sheets that the dialog library adds while a dialog is open carry the page's nonce by this name.
    Object.assign(window, { __webpack_nonce__: nonce });
    document.documentElement.dataset.hydrated = 'true';
  }, [nonce]);
  return (
    <ThemeProvider attribute="class" defaultTheme="system" enableSystem disableTransitionOnChange nonce={nonce}>
      <NuqsAdapter>
        <QueryClientProvider client={queryClient}>
          <TRPCProvider trpcClient={trpcClient} queryClient={queryClient}>
            <TooltipProvider delayDuration={250}>{children}</TooltipProvider>
            <Toasts />
          </TRPCProvider>
        </QueryClientProvider>
      </NuqsAdapter>
    </ThemeProvider>
  );
}

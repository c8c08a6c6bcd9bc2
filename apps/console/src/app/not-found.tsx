import { NotFound } from '@/features/errors/NotFound';

export default function Page() {
  return (
    <main className="grid min-h-dvh place-items-center p-6">
      <NotFound />
    </main>
  );
}

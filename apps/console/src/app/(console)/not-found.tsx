import { NotFound } from '@/features/errors/NotFound';

export default function Page() {
  return <NotFound />;
}

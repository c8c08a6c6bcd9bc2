import { SearchX } from 'lucide-react';
import Link from 'next/link';
import { Button } from '@/ui/Button';
import { Empty } from '@/ui/Feedback';

export function NotFound() {
  return (
    <Empty
      icon={SearchX}
      title="There is no such page"
      heading="h1"
      action={
        <Button asChild look="primary">
          <Link href="/">Go to the overview</Link>
        </Button>
      }
    >
      It may have moved, or the link is incomplete. Ctrl K finds machines and restore points by name.
    </Empty>
  );
}

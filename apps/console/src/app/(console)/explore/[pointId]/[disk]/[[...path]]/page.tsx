import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import { ExplorePage } from '@/features/explore/ExplorePage';
import { pathFromSegments } from '@/features/explore/imagePath';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Explore' };

interface PageProps {
  readonly params: Promise<{ pointId: string; disk: string; path?: string[] }>;
}

export default async function Page({ params }: PageProps) {
  const { pointId, disk, path } = await params;
  if (!/^\d{1,3}$/.test(disk)) notFound();
  return (
    <PageGate>
      <ExplorePage pointId={decodeURIComponent(pointId)} disk={Number(disk)} path={pathFromSegments(path)} />
    </PageGate>
  );
}

import type { Metadata } from 'next';
import { PointPage } from '@/features/points/PointPage';

export const metadata: Metadata = { title: 'Restore point' };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <PointPage key={id} id={decodeURIComponent(id)} />;
}

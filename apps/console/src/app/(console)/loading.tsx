import { SkeletonPage } from '@/ui/Feedback';

export default function Loading() {
  return <SkeletonPage />;
}

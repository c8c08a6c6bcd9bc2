'use client';
import { useState } from 'react';
import { BackupForm, type BackupFormProps } from './BackupForm';
import { BackupProgress } from './BackupProgress';

/** Starts a backup as the person chose it, and stays as its progress until it is closed. */
export function BackupDialog({ open, onOpenChange, ...props }: Omit<BackupFormProps, 'onStarted'>) {
  const [jobId, setJobId] = useState<string | null>(null);
  const change = (next: boolean) => {
    onOpenChange(next);
    if (!next) setJobId(null);
  };
  if (jobId) return <BackupProgress jobId={jobId} open={open} onOpenChange={change} />;
  return <BackupForm {...props} open={open} onOpenChange={change} onStarted={setJobId} />;
}

'use client';
import { useQuery } from '@tanstack/react-query';
import { Check, LogOut, Monitor, Moon, Settings, Sun } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { signOut } from 'next-auth/react';
import { useTheme } from 'next-themes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Menu, MenuItem, MenuLabel, MenuLine } from '@/ui/Menu';

const themes = [
  { value: 'light', label: 'Light', icon: Sun },
  { value: 'dark', label: 'Dark', icon: Moon },
  { value: 'system', label: 'As the system', icon: Monitor },
] as const;

export function ThemeMenu() {
  const { theme, setTheme } = useTheme();
  return (
    <Menu
      trigger={
        <Button look="ghost" size="icon" aria-label="Theme">
          <Sun className="dark:hidden" aria-hidden />
          <Moon className="hidden dark:block" aria-hidden />
        </Button>
      }
    >
      {themes.map((option) => (
        <MenuItem key={option.value} onSelect={() => setTheme(option.value)}>
          <option.icon aria-hidden />
          {option.label}
          {theme === option.value && <Check className="ml-auto" aria-label="chosen" />}
        </MenuItem>
      ))}
    </Menu>
  );
}

export function UserMenu() {
  const trpc = useTRPC();
  const router = useRouter();
  const me = useQuery(trpc.auth.me.queryOptions(undefined, { staleTime: 300_000 }));
  const name = me.data?.name ?? '';
  const initials = name
    .split(/\s+/)
    .map((word) => word.charAt(0).toUpperCase())
    .slice(0, 2)
    .join('');
  return (
    <Menu
      trigger={
        <button
          type="button"
          aria-label={`Account ${initials}`.trim()}
          className="ml-1 grid size-8 place-items-center rounded-full bg-accent-soft font-semibold text-accent-text text-xs"
        >
          {initials || '·'}
        </button>
      }
    >
      <MenuLabel>
        <span className="block font-medium text-ink">{name}</span>
        <span className="block">{me.data?.email}</span>
      </MenuLabel>
      <MenuLine />
      <MenuItem onSelect={() => router.push('/settings')}>
        <Settings aria-hidden />
        Settings
      </MenuItem>
      <MenuItem onSelect={() => void signOut({ callbackUrl: '/sign-in' })}>
        <LogOut aria-hidden />
        Sign out
      </MenuItem>
    </Menu>
  );
}

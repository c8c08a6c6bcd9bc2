import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { lvmDisk, workstationDisks } from '../../testing/disks';
import { firstChoice, takingOf } from '../backup/choice';
import { DiskMap } from './DiskMap';
import { DiskTable } from './DiskTable';
import { layoutDisk } from './layoutDisk';

const [nvme] = workstationDisks;
if (!nvme) throw new Error('fixtures');
const choice = { ...firstChoice([nvme], []), kind: 'partition' as const, parts: new Set([`${nvme.key}#3`]) };
const [taking] = takingOf({
  disks: [nvme],
  choice,
  system: null,
  options: { sectorBySector: false, leaveOutSwap: true },
}).disks;
if (!taking) throw new Error('fixtures');
const inclusion = { title: 'In this backup', takes: taking.takes, onToggle: () => {} };

/** What a screen reader is told of each segment, in order. */
function segments(html: string): { attributes: string; text: string }[] {
  return [...html.matchAll(/<button ([^>]*class="[^"]*basis-0[^>]*)>(.*?)<\/button>/gs)].map(
    ([, attributes = '', body = '']) => ({
      attributes,
      text: body.replace(/<[^>]+>/g, ''),
    }),
  );
}

describe('the map of a disk', () => {
  it('is a row of check boxes when parts can be chosen, and nobody chooses free space', () => {
    const drawn = segments(renderToStaticMarkup(<DiskMap disk={nvme} inclusion={inclusion} />));
    expect(drawn.map(({ attributes }) => /aria-checked="(\w+)"/.exec(attributes)?.[1] ?? null)).toEqual([
      'false',
      'false',
      'true',
      'false',
      'false',
      null,
    ]);
    expect(drawn[2]?.text).toContain('Included (ticked)');
    expect(drawn[3]?.text).toContain('Left out (not ticked)');
    expect(drawn[3]?.attributes).toContain('seg-out');
    expect(drawn[2]?.attributes).not.toContain('seg-out');
  });

  it('has one stop for the keyboard, whatever it holds', () => {
    const drawn = segments(renderToStaticMarkup(<DiskMap disk={nvme} inclusion={inclusion} />));
    expect(drawn.filter(({ attributes }) => attributes.includes('tabindex="0"'))).toHaveLength(1);
  });

  it('only shows when nothing can be chosen', () => {
    const { takes } = taking;
    const drawn = segments(renderToStaticMarkup(<DiskMap disk={nvme} inclusion={{ title: 'In this point', takes }} />));
    expect(drawn.every(({ attributes }) => !attributes.includes('aria-checked'))).toBe(true);
  });

  it('tells kept from created empty in a plan, not by colour alone', () => {
    const verbs = new Map([
      ['p3', { text: 'Kept as it is', tone: 'keep' as const }],
      ['p4', { text: 'Created empty', tone: 'empty' as const }],
    ]);
    const drawn = segments(renderToStaticMarkup(<DiskMap disk={nvme} verbs={verbs} />));
    expect(drawn[2]).toMatchObject({ text: expect.stringContaining('Kept as it is') });
    expect(drawn[2]?.attributes).toContain('seg-kept');
    expect(drawn[3]).toMatchObject({ text: expect.stringContaining('Created empty') });
    expect(drawn[3]?.attributes).toContain('seg-out');
  });
});

describe('the table beside the map', () => {
  it('says and offers the same', () => {
    const html = renderToStaticMarkup(<DiskTable disk={nvme} segments={layoutDisk(nvme, 'readable')} inclusion={inclusion} />);
    expect(html).toContain('In this backup');
    expect([...html.matchAll(/aria-label="Back up ([^"]+)"/g)].map(([, name]) => name)).toEqual([
      '/boot/efi',
      '/boot',
      '/',
      '/mnt/projects',
      'Linux swap',
    ]);
    expect([...html.matchAll(/aria-checked="(\w+)"/g)].map(([, on]) => on)).toEqual(['false', 'false', 'true', 'false', 'false']);
  });
});

it('shows logical volumes inside the partition they lie on, in the table as rows below it', () => {
  const [drawn] = segments(renderToStaticMarkup(<DiskMap disk={lvmDisk} />));
  expect(drawn?.text).toContain('vg0');
  expect(drawn?.text).toContain('with vg0/root, vg0/home, vg0/db');
  const html = renderToStaticMarkup(<DiskTable disk={lvmDisk} segments={layoutDisk(lvmDisk, 'readable')} />);
  const rows = [...html.matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, row = '']) => row.replace(/<[^>]+>/g, '|'));
  expect(rows[2]).toContain('vg0/root');
  expect(rows[2]).toContain('11.0 GiB');
  expect(rows[4]).toContain('not read');
});

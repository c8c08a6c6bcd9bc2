import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Completion, changedBytes, parseEventLayout, parsePageLayout, readPage } from './tracePage.ts';

const headerPage = `	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:0;
`;
const format = `name: block_rq_complete
ID: 2107
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:dev_t dev;	offset:8;	size:4;	signed:0;
	field:sector_t sector;	offset:16;	size:8;	signed:0;
	field:unsigned int nr_sector;	offset:24;	size:4;	signed:0;
	field:int error;	offset:28;	size:4;	signed:1;
	field:unsigned short ioprio;	offset:32;	size:2;	signed:0;
	field:char rwbs[10];	offset:34;	size:10;	signed:0;
	field:__data_loc char[] cmd;	offset:44;	size:4;	signed:0;

print fmt: "%d,%d"
`;

function layoutsOf() {
  const [page, event] = [parsePageLayout(headerPage), parseEventLayout(format)];
  if (page === null || event === null) throw new Error('the kernel’s layouts were not understood');
  return { page, event };
}
const layouts = layoutsOf();

class Page {
  readonly view = new DataView(new ArrayBuffer(4096));
  #at = 16;

  word(value: number): this {
    this.view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  /** The record of a finished request, 48 bytes of data. */
  request(dev: number, sector: bigint, [sectors, rwbs, id]: [number, string, number?]): this {
    this.word(12);
    const from = this.#at;
    this.view.setUint16(from, id ?? 2107, true);
    this.view.setUint32(from + 8, dev, true);
    this.view.setBigUint64(from + 16, sector, true);
    this.view.setUint32(from + 24, sectors, true);
    for (const [index, letter] of [...rwbs].entries()) this.view.setUint8(from + 34 + index, letter.charCodeAt(0));
    this.#at += 48;
    return this;
  }

  commit(flags = 0): this {
    this.view.setUint32(8, (this.#at - 16 + flags) >>> 0, true);
    return this;
  }

  read() {
    const found: Completion[] = [];
    return { ...readPage(this.view, layouts, (one) => found.push(one)), found };
  }
}

test('the kernel’s own descriptions tell where everything lies', () => {
  expect(layouts).toEqual({
    page: { commitOffset: 8, dataOffset: 16, pageBytes: 4096 },
    event: { id: 2107, dev: 8, sector: 16, sectors: 24, rwbs: 34, bytes: 44 },
  });
  expect(parsePageLayout('')).toBeNull();
  expect(parseEventLayout(format.replace('nr_sector', 'count'))).toBeNull();
  expect(parseEventLayout(format.replace('offset:16;	size:8', 'offset:16;	size:4'))).toBeNull();
});

describe('a page', () => {
  test('requests among time records and records taken back', () => {
    const page = new Page()
      .word(31)
      .word(7)
      .request(7, 100n, [8, 'WS'])
      .word(30)
      .word(9)
      .word((1 << 5) + 29)
      .word(8)
      .word(0)
      .request(7, 2n ** 33n, [16, 'RA'])
      .request(7, 5n, [1, 'W', 99])
      .commit();
    expect(page.read()).toEqual({
      records: 3,
      lost: false,
      found: [
        { dev: 7, sector: 100, sectors: 8, isRead: false },
        { dev: 7, sector: 2 ** 33, sectors: 16, isRead: true },
      ],
    });
  });

  test('a long record and the end mark', () => {
    const page = new Page().word(0).word(8).word(99).word(29).word(77).commit();
    expect(page.read()).toMatchObject({ records: 1, lost: false });
  });

  test('missed records are said by the top bit', () => {
    expect(new Page().commit(2 ** 31).read()).toMatchObject({ lost: true });
    expect(
      new Page()
        .request(7, 1n, [1, 'W'])
        .commit(2 ** 31)
        .read(),
    ).toMatchObject({ lost: true, records: 1 });
  });

  test.each([
    ['a record over the end', new Page().word(20).word(1).commit()],
    ['a length that is none', new Page().word(0).word(3).commit()],
    ['a request cut short', new Page().word(3).word(2107).word(0).word(0).commit()],
    ['more than a page', new Page().commit(8000)],
  ])('%s counts as loss', (_, page) => {
    expect(page.read().lost).toBe(true);
  });

  test('any bytes are read without an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), fc.nat(4080), (bytes, commit) => {
        const view = new DataView(bytes.slice().buffer);
        view.setUint32(8, commit, true);
        const { records } = readPage(view, layouts, () => {});
        expect(records).toBeLessThanOrEqual(1020);
      }),
    );
  });
});

test('everything but a read with a place is a change', () => {
  const of = (rwbs: string, sectors = 8, sector = 16n) => {
    const [one] = new Page().request(7, sector, [sectors, rwbs]).commit().read().found;
    return one === undefined ? undefined : changedBytes(one);
  };
  const changed = { offsetBytes: 8192, lengthBytes: 4096 };
  for (const rwbs of ['W', 'WS', 'FWFS', 'D', 'DS', 'DE', 'N', 'NS', 'ZR', 'WZS']) expect(of(rwbs)).toEqual(changed);
  for (const rwbs of ['R', 'RA', 'RSM']) expect(of(rwbs)).toBeNull();
  expect(of('FF', 0, 2n ** 64n - 1n)).toBeNull();
  expect(of('NS', 8, 2n ** 64n - 1n)).toBeNull();
});

import * as z from 'zod';

/**
 * Text that came from a machine we do not trust. Control and bidirectional-override characters are replaced, length is capped;
 * escaping for HTML, CSV or a terminal stays the duty of the place that prints it.
 */
export function foreignText(maxLength: number) {
  return z.string().transform((text) => cleanText(text).slice(0, maxLength));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Replaces characters that can hide, reorder or break text with U+FFFD. */
export function cleanText(text: string): string {
  return text.toWellFormed().replace(unsafe, '\ufffd');
}

export const bytesNumber = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
export const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
export const uuid = z.uuid();
export const base64 = z
  .string()
  .max(4096)
  .regex(/^[A-Za-z0-9+/]*={0,2}$/);

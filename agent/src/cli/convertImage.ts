/** Images for virtual machines, made of a raw one by qemu-img: the field's own tool knows these formats best. */
import { spawn } from 'node:child_process';
import { AgentError, codeOf } from '../errors.ts';

/** What qemu-img calls the format, and its options. VHD would round the size up to whole cylinders. */
const formats: Readonly<Record<string, readonly string[]>> = {
  '.qcow2': ['qcow2'],
  '.vhd': ['vpc', '-o', 'subformat=dynamic,force_size=on'],
  '.vmdk': ['vmdk'],
};

export const isConverted = (extension: string) => extension in formats;

/** @throws AgentError `TOOL_MISSING` */
export async function needQemu(signal: AbortSignal): Promise<void> {
  await qemuImg(['--version'], signal);
}

/** Writes `to`. @throws AgentError `TOOL_MISSING`, `EXPORT_FAILED` with what the tool said */
export async function convertImage(image: { raw: string; to: string; extension: string }, signal: AbortSignal): Promise<void> {
  const [format = 'raw', ...options] = formats[image.extension] ?? [];
  await qemuImg(['convert', '-f', 'raw', '-O', format, ...options, '--', image.raw, image.to], signal);
}

function qemuImg(args: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('qemu-img', [...args], { stdio: ['ignore', 'ignore', 'pipe'], signal });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-2000);
    });
    child.on('error', (cause) => {
      const missing = codeOf(cause) === 'ENOENT';
      const text =
        'qemu-img is not installed: it is in the package qemu-utils (Debian, Ubuntu), qemu-img (Fedora, RHEL, SUSE, Alpine), or qemu (Windows, macOS)';
      reject(missing ? new AgentError('TOOL_MISSING', text, { cause }) : cause);
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new AgentError('EXPORT_FAILED', `qemu-img ${args[0]}: ${said.trim() || `exit code ${code}`}`));
    });
  });
}

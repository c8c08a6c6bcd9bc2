#!/usr/bin/env bash
# Installs what the tests need beyond npm: real filesystem tools, partclone, qemu-utils, a browser, the peers of the benchmark.
# Debian/Ubuntu, as root. Elsewhere it names what is missing; tests that need it are then skipped by name (in CI they fail).
set -u
declare -A package=(
  [mke2fs]=e2fsprogs [mkfs.fat]=dosfstools [mcopy]=mtools [mkntfs]=ntfs-3g [ntfs-3g]=ntfs-3g [partclone.ext4]=partclone
  [mkfs.xfs]=xfsprogs [sgdisk]=gdisk [sfdisk]=fdisk [losetup]=mount
  [mkfs.exfat]=exfatprogs [mount.exfat-fuse]=exfat-fuse [qemu-img]=qemu-utils [chromium]=chromium [setfattr]=attr [getfattr]=attr [openssl]=openssl
  [zstd]=zstd [lsof]=lsof [/usr/bin/time]=time
  [cryptsetup]=cryptsetup-bin [mksquashfs]=squashfs-tools [genisoimage]=genisoimage [mkfs.f2fs]=f2fs-tools [mkfs.udf]=udftools
  [mkfs.erofs]=erofs-utils [mkfs.btrfs]=btrfs-progs [lvcreate]=lvm2
  [radosgw]=radosgw [ceph-mon]=ceph-mon [ceph-osd]=ceph-osd [ceph-authtool]=ceph-common
)
[ "${1:-}" = bench ] && package+=([restic]=restic [borg]=borgbackup)
export PATH="$PATH:/usr/sbin:/sbin"
missing=()
for tool in "${!package[@]}"; do command -v "$tool" >/dev/null 2>&1 || missing+=("${package[$tool]}"); done
[ ${#missing[@]} -eq 0 ] && exit 0
wanted=$(printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' ')
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "▸ Installing what the tests need: $wanted"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # shellcheck disable=SC2086
  if (apt-get update -q && apt-get install -q -y --no-install-recommends $wanted) >"$log" 2>&1; then rm -f "$log"; exit 0; fi
  tail -n 20 "$log"; rm -f "$log"
fi
echo "Missing for some tests: $wanted"
[ -n "${CI:-}" ] && exit 1
echo "They will be skipped by name. On Debian or Ubuntu: sudo apt-get install $wanted"

/** The unencrypted vault the seeds were taken from (packages/vault/src/testing/golden/v1/plain): its keys guard nothing. */
export const seedVault = {
  vaultId: 'b1734910-9a64-4e0c-a3ac-43513c3d0f2a',
  idAlgorithm: 'hmac-sha256',
  keys: {
    idKey: Buffer.from('581f8c40938274ffa36455e4a805f9e2982f4fbb4a48fd1302c0cb680e96f282', 'hex'),
    publicKey: null,
    privateKey: null,
  },
  pointNames: [
    'points/machine-1/~57~44-42~20~28blue~29/20261122t000000000z-b670c227a95f31af3c6bf3fdb3a98cbf.adi',
    'points/machine-1/~57~44-42~20~28blue~29/20261123t000000000z-d563a7ba1173e8d1a7b4fe3ca1e940c2.adi',
  ],
} as const;

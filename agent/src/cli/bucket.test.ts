import { expect, test } from 'vitest';
import { bucketPlace } from './bucket.ts';

const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'the-secret' };

test('a bucket, its prefix and the environment make a place', () => {
  expect(
    bucketPlace('s3://vaults/office/a/', { ...keys, AWS_ENDPOINT_URL: 'http://127.0.0.1:9', AWS_REGION: 'eu-west-1' }),
  ).toEqual({
    kind: 's3',
    bucket: 'vaults',
    prefix: 'office/a',
    region: 'eu-west-1',
    endpoint: 'http://127.0.0.1:9',
    credentials: { accessKeyId: 'id', secretAccessKey: 'the-secret', sessionToken: undefined },
  });
  expect(bucketPlace('s3://vaults', keys)).toMatchObject({
    bucket: 'vaults',
    prefix: '',
    region: 'us-east-1',
    endpoint: undefined,
  });
  expect(bucketPlace('/mnt/vault', keys)).toBeNull();
});

test('missing keys and a wrong region are wrong usage, and no message holds the secret', () => {
  expect(() => bucketPlace('s3://vaults', { AWS_ACCESS_KEY_ID: 'id' })).toThrow(/AWS_SECRET_ACCESS_KEY/);
  const wrong = () => bucketPlace('s3://vaults', { ...keys, AWS_REGION: 'eu west/1' });
  expect(wrong).toThrow(/AWS_REGION/);
  expect(wrong).not.toThrow(/the-secret/);
});

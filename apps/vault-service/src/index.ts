export { createVaultService, type ServiceOptions } from './service.ts';

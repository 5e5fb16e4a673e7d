// A portal in miniature. It is compiled, not run: what it asserts are the types of what was generated.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import {
  ApprovePolicyRequestDocument,
  GenerateApiKeyDocument,
  HistoryDocument,
  MeDocument,
  OpenPolicyRequestsDocument,
  PartnerThenDocument,
  PartnersDocument,
  RegisterPartnerDocument,
  type PartnerRowFragment,
} from './generated/documents.js';

/** What the API tells about a wish that it does not grant. */
interface Finding {
  message: string;
  extensions: { code: string; field?: string; params?: unknown; correlationId: string };
}

interface Answer<Data> {
  data?: Data | null;
  errors?: Finding[];
}

type Send = <Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
) => Promise<Data>;

/** Sends documents with a token. */
export function portal(url: string, token: string): Send {
  return async (document, variables) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const answer = (await response.json()) as Answer<any>;
    if (answer.errors) throw new Error(answer.errors.map((it) => it.extensions.code).join(' '));
    return answer.data;
  };
}

/** Registers a partner; the position shows it to whoever reads afterwards. */
export async function register(send: Send, partnerId: string): Promise<[PartnerRowFragment, string]> {
  const { registerPartner } = await send(RegisterPartnerDocument, {
    input: {
      partnerId,
      organizationName: 'Acme Bank',
      partnerType: 'AUTH_PARTNER',
      policyGroup: 'mpolicygroup-default-auth',
      address: '1 Main Street',
      contactNumber: '+1 555 0100',
      emailId: 'ops@acme.example',
      idempotencyKey: crypto.randomUUID(),
    },
  });
  return [registerPartner.partner, registerPartner.position];
}

/** Turns the pages of the active partners whose certificate ends soon. */
export async function* ending(send: Send, before: string): AsyncGenerator<PartnerRowFragment> {
  let after: string | null = null;
  do {
    const { partners }: Awaited<ReturnType<typeof page>> = await page(send, before, after);
    yield* partners.nodes;
    after = partners.pageInfo.hasNextPage ? (partners.pageInfo.endCursor ?? null) : null;
  } while (after !== null);
}

const page = (send: Send, before: string, after: string | null) =>
  send(PartnersDocument, {
    filter: { status: ['ACTIVE'], certificateExpiresAt: { to: before } },
    orderBy: { field: 'CERTIFICATE_EXPIRES_AT', direction: 'ASC' },
    first: 50,
    after,
  });

/** Approves the oldest request that lacks nothing, in the version that was seen. */
export async function approveOldest(send: Send): Promise<string | undefined> {
  const { policyRequests } = await send(OpenPolicyRequestsDocument, { first: 20 });
  const oldest = policyRequests.edges.find(({ node }) => node.missingParts.length === 0)?.node;
  if (!oldest) return undefined;
  const { approvePolicyRequest } = await send(ApprovePolicyRequestDocument, {
    input: { policyRequestId: oldest.id, expectedVersion: oldest.version },
  });
  return approvePolicyRequest.policyRequest.decidedAt ?? undefined;
}

/** The secret of a new key: there is none when the wish was granted before. */
export async function newKey(send: Send, partnerId: string, policyId: string): Promise<string | null> {
  const input = { partnerId, policyId, label: 'portal', idempotencyKey: crypto.randomUUID() };
  const { generateApiKey } = await send(GenerateApiKeyDocument, { input });
  return generateApiKey.secret ?? null;
}

/** What happened to a partner, and what it was after the first of it. */
export async function past(send: Send, id: string): Promise<string[]> {
  const { history } = await send(HistoryDocument, { noun: 'partner', id });
  const [first] = history.nodes;
  const then = await send(PartnerThenDocument, { id, asOf: first?.position ?? null });
  return [then.partner?.status ?? 'unknown', ...history.nodes.map(({ at, event }) => `${at} ${event}`)];
}

/** Whether the caller may do something at all. */
export async function may(send: Send, action: string): Promise<boolean> {
  const { me } = await send(MeDocument, {});
  return me.permissions.includes(action);
}

/** What the compiler has to refuse; each line is an error if it does not. */
export async function mistakes(send: Send): Promise<void> {
  // @ts-expect-error: there is no such status
  await send(PartnersDocument, { filter: { status: ['SLEEPING'] } });
  // @ts-expect-error: the id is missing
  await send(PartnerThenDocument, {});
  const { me } = await send(MeDocument, {});
  // @ts-expect-error: nobody asked for it
  void me.consent;
}

// Reads a receiver with the types that openapi-typescript made, and prints what it found as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./cellar.js";

declare const process: { argv: string[] };
const [, , baseUrl, token] = process.argv;
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

function found<T>(answer: { data?: T; error?: components["schemas"]["ErrorAnswer"] }): T {
  if (answer.data === undefined) throw new Error(answer.error?.error.code);
  return answer.data;
}

const pages: string[][] = [];
for (let cursor: string | null | undefined; cursor !== null; ) {
  const page: components["schemas"]["ArchivePage"] = found(
    await client.GET("/api/archives", { params: { query: { cursor, limit: 2, state: "completed" } } }),
  );
  pages.push(page.items.map((each) => each.reference));
  cursor = page.next;
}

const path = { reference: pages[0][0] };
const archive = found(await client.GET("/api/archives/{reference}", { params: { path } }));
const warnings = await client.GET("/api/archives/{reference}/{name}", { params: { path: { ...path, name: "warnings" } } });
const { sha256, size_bytes } = archive.files[0];
const file = found(
  await client.GET("/api/archives/{reference}/files/{sha256}", {
    params: { path: { ...path, sha256: sha256! } },
    parseAs: "arrayBuffer",
  }),
) as unknown as ArrayBuffer;

const changes: string[] = [];
for (let after: string | undefined; ; ) {
  const page: components["schemas"]["ChangePage"] = found(
    await client.GET("/api/changes", { params: { query: { after } } }),
  );
  if (page.items.length === 0) break;
  changes.push(...page.items.map((each) => `${each.kind} ${each.reference}`));
  after = page.next;
}

const unknown = await client.GET("/api/archives/{reference}", { params: { path: { reference: "unknown" } } });
const wrong = await client.GET("/api/changes", { params: { query: { after: "wrong" } } });
const refused = await client.GET("/api/archives", { headers: { Authorization: "Bearer wrong" } });
console.log(
  JSON.stringify({
    pages,
    received_at: new Date(archive.received_at).getTime(),
    paid: archive.payments.map((each) => [each.amount_minor, each.standing, each.currency]),
    verdict: archive.signed_document_verdict?.outcome ?? null,
    warnings: found(warnings).items.map((each) => each.code),
    file: file.byteLength - size_bytes!,
    changes,
    failures: [unknown, wrong, refused].map((each) => [each.response.status, each.error?.error.code]),
  }),
);

// Verifies messages as endpoints in Node do. Reads a list of {by, secret, headers, body} from standard input, with the
// body in base64, and prints the list of verdicts: "accepted", or why a message is refused.

import { createPublicKey, verify } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";

const TOLERANCE_S = 300;

// Neither package knows v1a. This follows the specification, "Signature scheme".
function verifyEd25519(publicKey, body, headers) {
  const raw = Buffer.from(publicKey.slice("whpk_".length), "base64");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_S)) {
    throw new Error("Message timestamp too old or too new");
  }
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const signatures = headers["webhook-signature"].split(" ").filter((each) => each.startsWith("v1a,"));
  if (!signatures.some((each) => verify(null, signed, key, Buffer.from(each.slice("v1a,".length), "base64")))) {
    throw new Error("No matching signature found");
  }
}

const VERIFIERS = {
  standardwebhooks: (secret, body, headers) => new Webhook(secret).verify(body, headers),
  svix: (secret, body, headers) => new SvixWebhook(secret).verify(body, headers),
  "node:crypto": verifyEd25519,
};

function verdict({ by, secret, headers, body }) {
  try {
    VERIFIERS[by](secret, Buffer.from(body, "base64"), headers);
    return "accepted";
  } catch (error) {
    return error.message;
  }
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
console.log(JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()).map(verdict)));

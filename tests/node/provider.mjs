// A certified OpenID Connect provider. People are those of ACCOUNTS; anybody who names one is that person.
// node provider.mjs PORT BACK_URL
import Provider from "oidc-provider";

const [port, back] = process.argv.slice(2);
const ACCOUNTS = { dana: ["staff", "ops"], ruth: ["tellers"], guest: ["visitors"] };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "cellar", client_secret: "a secret: with + signs", redirect_uris: [back] }],
  pkce: { required: () => true },
  cookies: { keys: ["a key of the tests"] },
  claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, groups: ACCOUNTS[id] ?? [] }),
  }),
});
provider.listen(Number(port), "127.0.0.1");

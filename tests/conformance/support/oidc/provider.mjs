// oidc-provider (npm) as an identity provider that needs no browser: whoever is told to be at the keyboard is signed in
// and has agreed to everything. Started by support/identity_provider.py.
//
// Beside the provider's own routes it answers, to the tests only:
//   PUT  /-/client    client metadata        adds or replaces a client, as its redirect URI is known only late
//   PUT  /-/person    {sub, ...claims}       who is at the keyboard from now on
//   POST /-/rotate                           new signing key, the old one is gone
//   POST /-/sign      {claims, kid?, lie?}   a token signed with the current key; `lie` signs with another under its kid
//   PUT  /-/fault     {path, kind}           how a path fails from now on: garbage, error, stall, redirect, huge; null ends it
//   GET  /-/counts                           how often each path was asked for
//
// Prints one line of JSON on standard output once it listens: {"issuer": "..."}.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import * as jose from 'jose';
import { interactionPolicy, Provider } from 'oidc-provider';

const ALG = 'RS256';
const HUGE_BYTES = 64 * 1024 * 1024;
const clients = new Map();
const people = new Map();
const counts = {};
const faults = new Map();
let person = null;

// One store for all providers that a rotation makes; a client is looked up here each time.
const stores = new Map();
class Adapter {
  constructor(name) {
    this.name = name;
    if (!stores.has(name)) stores.set(name, new Map());
    this.rows = stores.get(name);
  }
  async upsert(id, payload) { this.rows.set(id, payload); }
  async find(id) { return this.name === 'Client' ? clients.get(id) : this.rows.get(id); }
  async findByUserCode(userCode) { return [...this.rows.values()].find((row) => row.userCode === userCode); }
  async findByUid(uid) { return [...this.rows.values()].find((row) => row.uid === uid); }
  async consume(id) { this.rows.get(id).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { this.rows.delete(id); }
  async revokeByGrantId(grantId) { for (const [id, row] of this.rows) if (row.grantId === grantId) this.rows.delete(id); }
}

async function newKey() {
  const { privateKey } = await jose.generateKeyPair(ALG, { extractable: true });
  return { privateKey, jwk: { ...(await jose.exportJWK(privateKey)), kid: randomUUID(), alg: ALG, use: 'sig' } };
}

let key;
let handle;
async function rotate(issuer) {
  key = await newKey();
  const policy = interactionPolicy.base();
  const provider = new Provider(issuer, {
    adapter: Adapter,
    jwks: { keys: [key.jwk] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    // Google puts the claims into the ID token as well.
    conformIdTokenClaims: false,
    cookies: { keys: [randomUUID()] },
    features: { devInteractions: { enabled: false } },
    findAccount: async (ctx, sub) => {
      const claims = people.get(sub);
      return claims && { accountId: sub, claims: async () => claims };
    },
    interactions: { policy, url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => false },
    renderError: async (ctx, out) => { ctx.type = 'application/json'; ctx.body = out; },
  });
  const answer = provider.callback();
  handle = async (request, response) => {
    const interaction = /^\/interaction\/([\w-]+)$/.exec(request.url);
    if (!interaction) return answer(request, response);
    // The interaction that a browser would show: sign in as the person at the keyboard, agree to all that is asked.
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: person } });
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
    if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  };
}

async function bodyOf(request) {
  let text = '';
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : {};
}

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function administer(request, response, issuer) {
  const body = await bodyOf(request);
  switch (request.url) {
    case '/-/client': clients.set(body.client_id, body); return send(response, 200, {});
    case '/-/person': people.set(body.sub, body); person = body.sub; return send(response, 200, {});
    case '/-/rotate': await rotate(issuer); return send(response, 200, { kid: key.jwk.kid });
    case '/-/counts': return send(response, 200, counts);
    case '/-/fault':
      if (body.kind === null) faults.delete(body.path); else faults.set(body.path, body.kind);
      return send(response, 200, {});
    case '/-/sign': {
      const signer = body.lie ? (await newKey()).privateKey : key.privateKey;
      const header = { alg: ALG, kid: body.kid ?? key.jwk.kid };
      return send(response, 200, { token: await new jose.SignJWT(body.claims).setProtectedHeader(header).sign(signer) });
    }
    default: return send(response, 404, {});
  }
}

function fail(kind, response) {
  switch (kind) {
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end('{"issuer": <html>\u0000');
    case 'error':
      response.writeHead(500, { 'content-type': 'text/plain' });
      return response.end('the provider is unwell');
    case 'redirect':
      // To where no server may be made to look.
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' });
      return response.end();
    case 'huge': {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.on('error', () => {});
      const part = Buffer.alloc(65536, 0x20);
      let sent = 0;
      const more = () => {
        while (sent < HUGE_BYTES) {
          sent += part.length;
          if (!response.write(part)) return response.once('drain', more);
        }
        return response.end('{}');
      };
      return more();
    }
    // Until the asker has had enough.
    case 'stall': return undefined;
    default: throw new Error(`unknown fault ${kind}`);
  }
}

const server = createServer((request, response) => {
  const path = request.url.split('?')[0];
  if (path.startsWith('/-/')) {
    administer(request, response, issuer).catch((error) => send(response, 500, { error: String(error) }));
    return;
  }
  counts[path] = (counts[path] ?? 0) + 1;
  if (faults.has(path)) { fail(faults.get(path), response); return; }
  Promise.resolve(handle(request, response)).catch((error) => {
    console.error(error);
    if (!response.headersSent) send(response, 500, { error: String(error) });
  });
});

await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;
await rotate(issuer);
console.log(JSON.stringify({ issuer }));

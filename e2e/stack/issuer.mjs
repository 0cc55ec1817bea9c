// An OpenID Connect issuer for tests: the certified oidc-provider, with the least around it. Who signs in is chosen on a page with
// one button for each account; what it says of an account is read anew each time, so that a test can change it.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const { default: Provider } = await import(pathToFileURL(path.join(settings.modules, 'node_modules', 'oidc-provider', 'lib', 'index.js')));
const accounts = () => JSON.parse(fs.readFileSync(settings.accounts, 'utf8'));
const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const scopes = 'openid email profile groups';

const provider = new Provider(settings.issuer, {
  clients: [{
    client_id: settings.clientID, client_secret: settings.clientSecret, redirect_uris: settings.redirects,
    grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: settings.method,
  }],
  claims: { email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: scopes.split(' '),
  conformIdTokenClaims: settings.userinfo, // true: the ID token says who it is, and the userinfo endpoint all else
  pkce: { methods: ['S256'], required: () => true },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: crypto.randomUUID() }] },
  cookies: { keys: [crypto.randomBytes(32).toString('hex')] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/choose/${interaction.uid}` },
  findAccount: (_, id) => (accounts()[id] ? { accountId: id, claims: () => ({ sub: id, ...accounts()[id] }) } : undefined),
  async loadExistingGrant(ctx) { // everybody agrees to everything
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope(scopes);
    await grant.save();
    return grant;
  },
});

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

async function choose(req, res) {
  const { uid } = await provider.interactionDetails(req, res);
  const buttons = Object.keys(accounts()).map((id) => `<button name="account" value="${escape(id)}">${escape(id)}</button>`).join('\n');
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.end(`<!doctype html><title>Issuer</title><h1>Who are you?</h1><form method="post" action="/choose/${uid}">${buttons}
<button name="account" value="">Nobody</button></form>`);
}

async function chosen(req, res) {
  let body = '';
  for await (const piece of req) body += piece;
  const accountId = new URLSearchParams(body).get('account');
  const result = accountId ? { login: { accountId } } : { error: 'access_denied', error_description: 'nobody was chosen' };
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
}

const inner = provider.callback();
http.createServer((req, res) => {
  if (!req.url.startsWith('/choose/')) return inner(req, res);
  return (req.method === 'POST' ? chosen : choose)(req, res).catch((err) => {
    res.statusCode = 400;
    res.end(String(err));
  });
}).listen(settings.port, settings.host);

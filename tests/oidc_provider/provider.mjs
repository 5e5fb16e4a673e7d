// A real OpenID Connect provider for tests: npm's `oidc-provider`, which issues access tokens as
// JWTs (RFC 9068) for client credentials and a resource (RFC 8707), and whose keys the test chooses.
//
// Usage: node provider.mjs PORT [PEM], with 0 for any port; PEM holds a private key and a certificate
// for https. Prints its issuer once it listens; ends with its standard input. A key is named
// ALGORITHM.NAME and made when it is first named. Beside the provider's own routes:
//   POST /test/keys ["ES256.new", …]    publishes these keys from now on, and signs with the first
//   POST /test/sign {header, claims, key, secret}
//                                       any JWT: signed by an ES256 or RSA key, or a shared secret;
//                                       by an RSA key as RS256, unless the header says PS256
//   GET  /test/fetches                  how often the key set was asked for

import {
  constants, createHmac, createPrivateKey, generateKeyPairSync, sign as signBytes,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { Provider } from 'oidc-provider';

const kinds = {
  ES256: ['ec', { namedCurve: 'P-256' }],
  ES384: ['ec', { namedCurve: 'P-384' }],
  EdDSA: ['ed25519', {}],
  PS256: ['rsa', { modulusLength: 2048 }],
  RS256: ['rsa', { modulusLength: 2048 }],
};
const made = new Map();
let fetches = 0;
let issuer;
let provider;

function privateKey(kid) {
  if (!made.has(kid)) {
    const alg = kid.split('.')[0];
    const { privateKey: key } = generateKeyPairSync(...kinds[alg]);
    made.set(kid, { ...key.export({ format: 'jwk' }), kid, alg, use: 'sig' });
  }
  return made.get(kid);
}

function publish(kids) {
  const alg = kids[0].split('.')[0];
  provider = new Provider(issuer, {
    jwks: { keys: kids.map(privateKey) },
    enabledJWA: {
      idTokenSigningAlgValues: Object.keys(kinds),
    },
    clients: [{
      client_id: 'portal',
      client_secret: 'secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    }],
    ttl: { ClientCredentials: 600 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: '',
          audience: 'pms',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg } },
        }),
      },
    },
    extraTokenClaims: () => ({
      preferred_username: 'alice',
      realm_access: { roles: ['offline_access', 'AUTH_PARTNER'] },
    }),
  });
  return '';
}

function sign({ header, claims, key, secret }) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const input = Buffer.from(`${encode(header)}.${encode(claims)}`);
  const signature = secret
    ? createHmac('sha256', secret).update(input).digest()
    : signBytes('sha256', input, {
      key: createPrivateKey({ key: privateKey(key), format: 'jwk' }),
      dsaEncoding: 'ieee-p1363',
      ...(header.alg === 'PS256' && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
    });
  return `${input}.${signature.toString('base64url')}`;
}

const routes = {
  '/test/keys': publish,
  '/test/sign': sign,
  '/test/fetches': () => String(fetches),
};

async function answer(request, response) {
  const route = routes[request.url];
  if (request.url === '/jwks') fetches += 1;
  if (!route) return provider.callback()(request, response);
  const body = await text(request);
  response.end(route(body && JSON.parse(body)));
}

const [port, pem] = process.argv.slice(2);
const secrets = pem && readFileSync(pem);
const server = pem
  ? https.createServer({ key: secrets, cert: secrets }, answer)
  : http.createServer(answer);

server.listen(Number(port), '127.0.0.1', () => {
  issuer = `${pem ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  publish(['ES256.first']);
  console.log(issuer);
});
process.stdin.resume().on('end', () => process.exit());

// Lists what the TypeScript client, as it is published, can ask a server: one "METHOD path" a line.
//
// It calls every method of every client with arguments of several shapes, against a server of its own that writes down what
// arrives. What a method needs beyond that does not matter: the request is what counts.

import http from 'node:http';
import * as all from '@openhands/typescript-client/clients';
import { RemoteWorkspace, RemoteConversation, RemoteEventsList, RemoteState } from '@openhands/typescript-client';

const seen = new Set();
const server = http.createServer((request, response) => {
  seen.add(`${request.method} ${request.url.split('?')[0]}`);
  request.resume();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ id: 'ID', version: '1.49.1', items: [], next_page_id: null, conversations: [] }));
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const host = `http://127.0.0.1:${server.address().port}`;

const shapes = [
  ['ID', 'ID', 'ID'],
  ['ID', {}, {}],
  [{}, {}, {}],
  [['ID'], ['ID']],
  ['ID', ['ID'], {}],
  [],
];

async function callAll(object) {
  for (let proto = Object.getPrototypeOf(object); proto && proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    for (const name of Object.getOwnPropertyNames(proto)) {
      const method = Object.getOwnPropertyDescriptor(proto, name).value;
      if (typeof method !== 'function' || name === 'constructor' || /wait|poll|close|destroy|stopWebSocket/i.test(name)) continue;
      for (const shape of shapes) {
        const limit = new Promise((done) => setTimeout(done, 2000).unref());
        await Promise.race([limit, (async () => method.apply(object, shape))().catch(() => {})]);
      }
    }
  }
}

for (const [name, Client] of Object.entries(all)) {
  if (typeof Client !== 'function' || !name.endsWith('Client') || /^(Cloud|Http)/.test(name)) continue;
  await callAll(new Client({ host, apiKey: 'key' }));
}
const workspace = new RemoteWorkspace({ host, apiKey: 'key', workingDir: '/ID' });
await callAll(workspace);
const conversation = new RemoteConversation({ kind: 'Agent' }, workspace, { conversationId: 'ID' });
await conversation.start().catch(() => {});
await callAll(conversation);
console.log([...seen].sort().join('\n'));
process.exit(0);

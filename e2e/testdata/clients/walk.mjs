// Walks through the TypeScript client as it is published, with PRODUCT_KEY in the place of the server's key.
//
// Every step prints one line: its name, a tab, and what came of it.

import { createRequire } from 'node:module';

// The client looks for its WebSocket by require, which modules do not have.
globalThis.require = createRequire(import.meta.url);
const { RemoteConversation, RemoteWorkspace } = await import('@openhands/typescript-client');
const { SettingsClient, WorkspacesClient, BashClient } = await import('@openhands/typescript-client/clients');

const { PRODUCT_URL: host, PRODUCT_KEY: apiKey, PRODUCT_FOREIGN: foreign } = process.env;

async function step(name, call) {
  let outcome;
  try {
    outcome = await call();
  } catch (failed) {
    outcome = failed.status ? `refused ${failed.status}` : `failed ${failed.name}: ${failed.message}`;
  }
  console.log(`${name}\t${typeof outcome === 'string' ? outcome : JSON.stringify(outcome)}`);
  return outcome;
}

async function until(what) {
  const end = Date.now() + 60000;
  while (Date.now() < end) {
    if (await what()) return true;
    await new Promise((again) => setTimeout(again, 100));
  }
  return false;
}

const workspace = new RemoteWorkspace({ host, apiKey, workingDir: '' });
const seen = [];
const settings = await new SettingsClient({ host, apiKey }).getSettings();
await step('model', () => settings.agent_settings?.llm?.model ?? settings.llm_model);
const conversation = new RemoteConversation({ kind: 'Agent', llm: { model: 'openai/scripted', usage_id: 'agent' }, tools: [{ name: 'terminal' }] }, workspace, {
  callback: (event) => seen.push(event),
});
await step('start', () => conversation.start().then(() => 'started'));
await step('socket', () => conversation.startWebSocketClient().then(() => 'open'));
await step('message', () => conversation.sendMessage('run: echo made by $((40+2)) > made.txt').then(() => 'sent'));
await step('run', () => conversation.run().then(() => 'asked').catch((e) => (e.status === 409 ? 'asked' : Promise.reject(e))));
const info = async () => (await conversation.client.get(`/api/conversations/${conversation.id}`)).data;
await step('finished', () => until(async () => (await info()).execution_status === 'finished'));
const dir = (await info()).workspace.working_dir;
await step('events by socket', () => until(() => seen.some((event) => event.kind === 'ObservationEvent')));
await step('title', () => conversation.setTitle('From the TypeScript client').then(() => 'set'));
await step('command', async () => (await workspace.executeCommand('cat made.txt', dir)).stdout.trim());
await step('upload', async () => (await workspace.uploadText('sent by the client', `${dir}/sent.txt`)).success);
await step('download', async () => (await workspace.fileDownload(`${dir}/sent.txt`)).content);
await step('batch of bash events', async () => (await new BashClient({ host, apiKey }).batchGetEvents(['x'])).length);
await step('workspaces', async () => Array.isArray((await new WorkspacesClient({ host, apiKey }).listWorkspaces()).workspaces));
await step('foreign', async () => (await conversation.client.get(`/api/conversations/${foreign}`)).status);
await step('close', () => conversation.close().then(() => 'closed'));
const stranger = new RemoteWorkspace({ host, apiKey: 'oh_none', workingDir: '' });
await step('a bad key', async () => (await stranger.client.get('/api/conversations/search')).status);
process.exit(0);

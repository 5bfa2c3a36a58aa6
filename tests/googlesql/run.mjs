// Runs queries on Google's own GoogleSQL engine. A job comes in as JSON, the answers go out as JSON, in order:
//
//   in   { tables: [{ name, schema, partitioned_by_load_time, rows }], queries: [{ sql, parameters: [{ name, type, value }] }] }
//   out  [{ columns: [{ name, type }], rows: [[cell, ...], ...] } | { error }, ...]
//
// It judges nothing: tests/adapters/googlesql.rs makes the job and compares the answers.

import { Engine } from './engine.mjs';

const MOST_SECONDS = 120;

setTimeout(() => quit(`no answer after ${MOST_SECONDS} s`), MOST_SECONDS * 1000).unref();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => quit(`ended by ${signal}`));

try {
  const { tables, queries } = JSON.parse(await everything(process.stdin));
  const engine = await Engine.start();
  await engine.register(tables);
  const answers = [];
  for (const query of queries) answers.push(await engine.answer(query));
  process.stdout.write(JSON.stringify(answers), () => process.exit(0));
} catch (error) {
  quit(error.details || error.stack);
}

async function everything(stream) {
  let text = '';
  stream.setEncoding('utf8');
  for await (const part of stream) text += part;
  return text;
}

function quit(problem) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

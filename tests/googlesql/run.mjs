// Runs queries on Google's own GoogleSQL engine. A job comes in as JSON, the answers go out as JSON, in order:
//
//   in   { tables: [{ name, schema, partitioned_by_load_time, rows }],
//          queries: [{ tables, sql, parameters: [{ name, type, value }] }] }
//   out  [{ columns: [{ name, type }], rows: [[cell, ...], ...] } | { error }, ...]
//
// It judges nothing: tests/adapters/googlesql.rs makes the job and compares the answers.

import { availableParallelism } from 'node:os';

import { Engine, together } from './engine.mjs';

const MOST_SECONDS = 120;

setTimeout(() => quit(`no answer after ${MOST_SECONDS} s`), MOST_SECONDS * 1000).unref();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => quit(`ended by ${signal}`));

try {
  const { tables, queries } = JSON.parse(await everything(process.stdin));
  const engine = await Engine.start();
  const byName = new Map(tables.map((table) => [table.name, table]));
  const readTogether = new Map(queries.map((query) => [together(query.tables), query.tables]));
  for (const names of readTogether.values()) await engine.register(names.map((name) => byName.get(name)));
  const answers = await inOrder(queries, (query) => engine.answer(query));
  process.stdout.write(JSON.stringify(answers), () => process.exit(0));
} catch (error) {
  quit(error.details || error.stack);
}

/** Asks as many at a time as there are processors. */
async function inOrder(queries, ask) {
  const answers = [];
  let next = 0;
  const worker = async () => {
    while (next < queries.length) {
      const place = next++;
      answers[place] = await ask(queries[place]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return answers;
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

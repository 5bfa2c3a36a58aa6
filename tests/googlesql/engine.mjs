// The engine as a child process, and the calls that are made to it. It listens on the loopback interface only, on a
// port that was free a moment ago, and it ends with this process.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import path from 'node:path';

import { cells, parameter, plain, typeOf } from './values.mjs';

// The packages are installed outside the checkout; scripts/test says where.
const home = process.env.GOOGLESQL_HARNESS_DIR;
if (!home) throw new Error('GOOGLESQL_HARNESS_DIR must name the folder with node_modules; scripts/test sets it');
const require = createRequire(path.join(home, 'package.json'));
const grpc = require('@grpc/grpc-js');
const { loadSync } = require('@grpc/proto-loader');
const FILES = path.join(home, 'node_modules/@fivetrandevelopers/zetasql/lib/zetasql');

const SECONDS_TO_START = 20;
// Answers may be larger than the 4 MiB that gRPC takes by itself.
const ANY_SIZE = { 'grpc.max_receive_message_length': -1 };
// The server leaves the zone of its makers where none is given.
const UTC = 'UTC';

export class Engine {
  catalogs = new Map();

  /** Starts the engine with BigQuery's side of the language. */
  static async start() {
    const port = await freePort();
    const server = spawn(path.join(FILES, executable()), ['localhost', String(port)], { stdio: ['ignore', 2, 2] });
    process.on('exit', () => server.kill('SIGKILL'));
    server.on('error', (error) => fail(`the engine can't be started: ${error.message}`));
    server.on('exit', (code, signal) => fail(`the engine ended by itself, with ${signal ?? code}`));
    const engine = new Engine();
    engine.client = await connect(port);
    const language = await engine.call('GetLanguageOptions', { maximum_features: true });
    engine.language = { ...language, product_mode: 'PRODUCT_EXTERNAL' };
    return engine;
  }

  /** Keeps tables that are read together under their full dotted names, with their rows: no more, as the server takes 4 MiB at a time. */
  async register(tables) {
    const name = together(tables.map((table) => table.name));
    const simple_catalog = {
      name,
      table: tables.map(definition),
      builtin_function_options: { language_options: this.language },
    };
    const table_content = Object.fromEntries(tables.map((table) => [table.name, content(table)]));
    const { registered_id } = await this.call('RegisterCatalog', { simple_catalog, table_content });
    this.catalogs.set(name, registered_id);
  }

  /** Analyses a query, runs it, and gives its columns and rows; or the engine's own words where it refuses. */
  async answer({ tables, sql, parameters }) {
    const registered_catalog_id = this.catalogs.get(together(tables));
    if (!registered_catalog_id) throw new Error(`a query names ${together(tables)}, which was not registered`);
    try {
      const options = this.options(parameters);
      const { prepared } = await this.call('PrepareQuery', { sql, options, registered_catalog_id });
      try {
        return await this.execute(prepared, parameters);
      } finally {
        // The server forgets nothing by itself.
        await this.call('UnprepareQuery', { prepared_query_id: prepared.prepared_query_id });
      }
    } catch (error) {
      return { error: error.details || error.message };
    }
  }

  async execute({ prepared_query_id, columns }, parameters) {
    const { content } = await this.call('EvaluateQuery', { prepared_query_id, params: parameters.map(parameter) });
    return {
      columns: columns.map(({ name, type }) => ({ name, type: type.type_kind })),
      rows: (content.table_data.row ?? []).map((row) => row.cell.map(plain)),
    };
  }

  options(parameters) {
    const query_parameters = parameters.map((one) => ({ name: one.name, type: typeOf(one) }));
    return { language_options: this.language, default_timezone: UTC, query_parameters };
  }

  call(method, request) {
    return new Promise((resolve, reject) => {
      this.client[method](request, (error, reply) => (error ? reject(error) : resolve(reply)));
    });
  }
}

/** The name of a catalog: those of its tables. */
export function together(names) {
  return names.join(' + ');
}

/** The program for this machine; the names are the package's. */
function executable() {
  const arm = process.arch.startsWith('arm') ? '_arm' : '';
  return `remote_server${arm}${process.platform === 'darwin' ? '' : '.so'}`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.on('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

function connect(port) {
  const options = { includeDirs: [path.join(FILES, 'protos')], keepCase: true, longs: String, enums: String };
  const { zetasql } = grpc.loadPackageDefinition(loadSync('local_service.proto', options));
  const Client = zetasql.local_service.ZetaSqlLocalService;
  const client = new Client(`localhost:${port}`, grpc.credentials.createInsecure(), ANY_SIZE);
  const deadline = Date.now() + SECONDS_TO_START * 1000;
  return new Promise((resolve, reject) => {
    client.waitForReady(deadline, (error) => (error ? reject(error) : resolve(client)));
  });
}

/** The columns of a table: its schema, and the pseudo column of one that is partitioned by the time of loading. */
function columnsOf({ schema, partitioned_by_load_time }) {
  const time = { name: '_PARTITIONTIME', type: 'TIMESTAMP' };
  return partitioned_by_load_time ? [...schema, time] : schema;
}

function definition(table) {
  const column = columnsOf(table).map((one) => ({
    name: one.name,
    type: typeOf(one),
    is_pseudo_column: one.name.startsWith('_'),
  }));
  return { name: table.name, column };
}

function content(table) {
  const columns = columnsOf(table);
  const row = table.rows.map((one, number) => {
    try {
      return { cell: cells(columns, one) };
    } catch (error) {
      throw new Error(`row ${number + 1} of ${table.name}: ${error.message}`);
    }
  });
  return { table_data: { row } };
}

function fail(problem) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

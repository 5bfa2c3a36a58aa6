// Types and values, between the JSON that BigQuery reads and writes and the messages of the engine.
//
// A schema is what `bq show --schema` prints, a row is a line of `bq extract`. What is not in the schema is refused, so
// that a column can't be forgotten by a spelling. Whole numbers leave as text: JavaScript would round large ones.

const SCALARS = {
  STRING: { kind: 'TYPE_STRING', value: (text) => ({ string_value: wanted(text, 'string') }) },
  INTEGER: { kind: 'TYPE_INT64', value: (number) => ({ int64_value: integer(number) }) },
  FLOAT: { kind: 'TYPE_DOUBLE', value: (number) => ({ double_value: wanted(number, 'number') }) },
  BOOLEAN: { kind: 'TYPE_BOOL', value: (truth) => ({ bool_value: wanted(truth, 'boolean') }) },
  TIMESTAMP: { kind: 'TYPE_TIMESTAMP', value: (text) => ({ timestamp_value: timestamp(text) }) },
};

/** The type of a column, records and repeated ones included. */
export function typeOf(column) {
  const { kind } = column.type === 'RECORD' ? {} : scalar(column);
  const one = kind ? { type_kind: kind } : { type_kind: 'TYPE_STRUCT', struct_type: { field: column.fields.map(field) } };
  return column.mode === 'REPEATED' ? { type_kind: 'TYPE_ARRAY', array_type: { element_type: one } } : one;
}

function field(column) {
  return { field_name: column.name, field_type: typeOf(column) };
}

function scalar(column) {
  const known = SCALARS[column.type];
  if (!known) throw new Error(`column ${column.name} has the type ${column.type}; known are ${Object.keys(SCALARS)}, RECORD`);
  return known;
}

/** The cells of a row, in the order of the columns; a missing one is NULL, or empty where it is repeated. */
export function cells(columns, row) {
  const unknown = Object.keys(row).find((name) => !columns.some((column) => column.name === name));
  if (unknown) throw new Error(`column ${unknown} is not in the schema`);
  return columns.map((column) => valueOf(column, row[column.name]));
}

function valueOf(column, value) {
  if (column.mode === 'REPEATED') return { array_value: { element: (value ?? []).map((one) => single(column, one)) } };
  return value === undefined || value === null ? {} : single(column, value);
}

function single(column, value) {
  if (column.type === 'RECORD') return { struct_value: { field: cells(column.fields, value) } };
  try {
    return scalar(column).value(value);
  } catch (error) {
    throw new Error(`column ${column.name}: ${error.message}`);
  }
}

function wanted(value, type) {
  if (typeof value !== type) throw new Error(`${JSON.stringify(value)} is not a ${type}`);
  return value;
}

/** BigQuery writes INT64 as text. */
function integer(value) {
  if (!/^-?\d+$/.test(wanted(value, 'string'))) throw new Error(`${value} is not a whole number`);
  return value;
}

/** `2026-11-16 08:01:02.123456 UTC`, with or without its fraction. */
function timestamp(text) {
  const [, date, time, fraction = ''] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))? UTC$/.exec(text) ?? [];
  const milliseconds = Date.parse(`${date}T${time}Z`);
  if (Number.isNaN(milliseconds)) throw new Error(`${text} is not an instant as BigQuery writes it`);
  return { seconds: String(milliseconds / 1000), nanos: Number(fraction.padEnd(9, '0')) };
}

/** The value of a named parameter, as `{ type, value }`. */
export function parameter({ name, type, value }) {
  return { name, value: valueOf({ name, type }, value) };
}

/** A cell of an answer. The questions answer whole numbers and texts only. */
export function plain(value) {
  if ('int64_value' in value) return value.int64_value;
  if ('string_value' in value) return value.string_value;
  if (Object.keys(value).length === 0) return null;
  throw new Error(`no question may answer ${JSON.stringify(value)}`);
}

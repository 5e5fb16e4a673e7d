// Generates the types of every document in documents/ from the schema: node generate.mjs
// A scalar that is not named here is an error: a client has to know in which form it comes.
import { codegen } from '@graphql-codegen/core';
import * as operations from '@graphql-codegen/typescript-operations';
import * as documentNodes from '@graphql-codegen/typed-document-node';
import { buildSchema, parse, printSchema, validate } from 'graphql';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const scalars = {
  AsOf: 'string',
  DateTime: 'string',
  ID: 'string',
  JSON: 'unknown',
  Position: 'string',
};

const schema = buildSchema(read('../../api/schema.graphql'));
const documents = readdirSync(new URL('documents/', import.meta.url)).sort().map((name) => ({
  location: name,
  document: parse(read(`documents/${name}`)),
}));
const findings = documents.flatMap(({ location, document }) =>
  validate(schema, document).map((finding) => `${location}: ${finding.message}`));
if (findings.length > 0) {
  console.error(findings.join('\n'));
  process.exit(1);
}

const generated = await codegen({
  filename: 'generated/documents.ts',
  schema: parse(printSchema(schema)),
  documents,
  plugins: [{ operations: {} }, { documentNodes: {} }],
  pluginMap: { operations, documentNodes },
  config: { scalars, strictScalars: true, useTypeImports: true },
});
mkdirSync(new URL('generated/', import.meta.url), { recursive: true });
writeFileSync(new URL('generated/documents.ts', import.meta.url), generated);

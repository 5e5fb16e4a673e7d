// What of a new schema hurts clients of an old one: node changes.mjs OLD NEW
// Breaking changes are listed, and the exit code is 1. Dangerous ones are only listed: a client
// still works with them, unless it counts on knowing every value of an enum.
import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';
import { readFileSync } from 'node:fs';

const [before, after] = process.argv.slice(2).map((path) => buildSchema(readFileSync(path, 'utf8')));
const breaking = findBreakingChanges(before, after);
const dangerous = findDangerousChanges(before, after);

for (const change of breaking) console.log(`breaking: ${change.type}: ${change.description}`);
for (const change of dangerous) console.log(`dangerous: ${change.type}: ${change.description}`);
process.exitCode = breaking.length > 0 ? 1 : 0;

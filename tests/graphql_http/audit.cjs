// Runs the audits of graphql-http against a server: node audit.cjs URL TOKEN. Prints the id and
// name of each that does not pass, and how many there are.
const { auditServer } = require("graphql-http");

const [url, token] = process.argv.slice(2);
const fetchFn = (address, options = {}) =>
  fetch(address, {
    ...options,
    headers: { ...options.headers, authorization: `Bearer ${token}` },
  });

auditServer({ url, fetchFn }).then((results) => {
  for (const { id, name, status, reason } of results) {
    if (status !== "ok") console.log(`${status} ${id} ${name}: ${reason}`);
  }
  console.log(`${results.length} audits`);
});

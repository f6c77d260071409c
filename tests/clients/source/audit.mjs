// Runs the audits of graphql-http against servers, given by their URLs, and prints their results as JSON.
import { serverAudits } from 'graphql-http';

async function auditServer(url) {
  const results = [];
  for (const audit of serverAudits({ url })) {
    const { id, name, status, response } = await audit.fn();
    results.push({ id, name, status, answer: response?.status });
  }
  return results;
}

console.log(JSON.stringify(await Promise.all(process.argv.slice(2).map(auditServer))));

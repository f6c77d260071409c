import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';

// The page names nothing but itself: everything is found from its own address.
const root = document.getElementById('graphiql');
const endpoint = new URL(root.dataset.endpoint, location.href).href;
const examples = JSON.parse(root.dataset.examples);

// WORKERS holds the hashed names of the workers; build.mjs puts it in.
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => new Worker(new URL(WORKERS[label] ?? WORKERS.editor, import.meta.url), { type: 'module' }),
};

createRoot(root).render(
  <GraphiQL
    fetcher={createGraphiQLFetcher({ url: endpoint, subscriptionUrl: endpoint.replace(/^http/, 'ws') })}
    plugins={[HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })]}
    defaultTabs={examples.map((query) => ({ query }))}
    defaultEditorToolsVisibility={false}
    schemaDescription
    inputValueDeprecation
  >
    <GraphiQL.Logo>gqlapi</GraphiQL.Logo>
  </GraphiQL>,
);

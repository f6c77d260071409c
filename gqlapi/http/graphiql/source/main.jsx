import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './style.css';
import { Account } from './account.jsx';
import { examplesPlugin } from './examples.jsx';
import { CopyLink, readLink } from './links.jsx';
import { createSession } from './session.js';
import { createSubscriber, isSubscription } from './subscriptions.js';
import { ActiveTab } from './tabs.jsx';

// The page names nothing but itself: everything is found from its own address.
const root = document.getElementById('graphiql');
const { endpoint, examples, demo } = JSON.parse(root.dataset.config);
const url = new URL(endpoint, location.href).href.split('?')[0];

// WORKERS holds the hashed names of the workers; build.mjs puts it in.
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => new Worker(new URL(WORKERS[label] ?? WORKERS.editor, import.meta.url), { type: 'module' }),
};

const session = createSession(url, demo ? localStorage : sessionStorage);
const subscribe = createSubscriber(url, session);
const send = createGraphiQLFetcher({ url, fetch: session.fetch });
// With the document it would refuse to send subscriptions.
const fetcher = (params, { documentAST, ...options } = {}) =>
  isSubscription(params) ? subscribe(params, options.headers) : send(params, options);

// GraphiQL remembers its tabs. What it opens with at the first time is one example, or what a link has.
const isFirstTime = localStorage.getItem('graphiql:tabState') === null;
const opened = readLink() ?? (isFirstTime ? examples[0] : undefined);
const listed = examplesPlugin(examples);

createRoot(root).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={[listed, HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })]}
    visiblePlugin={isFirstTime && innerWidth > 900 ? listed : undefined}
    defaultTabs={[opened ?? {}]}
    initialQuery={opened?.query}
    initialVariables={opened?.variables}
    defaultEditorToolsVisibility
    shouldPersistHeaders={demo !== null}
    showPersistHeadersSettings
    schemaDescription
    inputValueDeprecation
  >
    <GraphiQL.Toolbar>
      {({ prettify, merge, copy }) => (
        <>
          {prettify}
          {merge}
          {copy}
          <CopyLink />
          <ActiveTab />
        </>
      )}
    </GraphiQL.Toolbar>
    <GraphiQL.Logo>
      <Account session={session} demo={demo} />
    </GraphiQL.Logo>
  </GraphiQL>,
);

// The page of a server without the bundle: GraphiQL and its parts are global names, loaded from a CDN.
const root = document.getElementById('graphiql');

function start() {
  const props = {
    fetcher: GraphiQL.createFetcher({ url: new URL(root.dataset.endpoint, location.href).href }),
    plugins: [GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false })],
    defaultTabs: JSON.parse(root.dataset.examples).map((query) => ({ query })),
    defaultEditorToolsVisibility: false,
  };
  ReactDOM.createRoot(root).render(React.createElement(GraphiQL, props));
}

if (globalThis.GraphiQLPluginExplorer) start();
else root.textContent = 'GraphiQL is not built, and the CDN cannot be reached. The server answers all the same; its log says more.';

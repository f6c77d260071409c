// The page of a server without the bundle: GraphiQL and its parts are global names, loaded from a CDN.
const root = document.getElementById('graphiql');
const url = new URL(root.dataset.endpoint, location.href).href;
const props = {
  fetcher: GraphiQL.createFetcher({ url }),
  plugins: [GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false })],
  defaultTabs: JSON.parse(root.dataset.examples).map((query) => ({ query })),
  defaultEditorToolsVisibility: false,
};
ReactDOM.createRoot(root).render(React.createElement(GraphiQL, props));

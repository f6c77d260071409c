// The page of a server without the bundle: GraphiQL and its parts are global names, loaded from a CDN.
const root = document.getElementById('graphiql');
const config = JSON.parse(root.dataset.config);
const TIMEOUT_MS = 10_000;

function load(tag, properties) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), { crossOrigin: 'anonymous', ...properties });
    element.onload = resolve;
    element.onerror = reject;
    document.head.append(element);
  });
}

function start() {
  const asked = new URLSearchParams(location.search);
  const shared = { query: asked.get('query'), variables: asked.get('variables') };
  const props = {
    fetcher: GraphiQL.createFetcher({ url: new URL(config.endpoint, location.href).href }),
    plugins: [GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false })],
    defaultTabs: shared.query ? [shared, ...config.examples] : config.examples,
    defaultEditorToolsVisibility: true,
    shouldPersistHeaders: config.demo !== null,
  };
  ReactDOM.createRoot(root).render(React.createElement(GraphiQL, props));
}

const styles = config.cdn.styles.map(([href, integrity]) => load('link', { rel: 'stylesheet', href, integrity }));
const scripts = config.cdn.scripts.map(([src, integrity]) => load('script', { src, integrity, async: false }));
const timeout = new Promise((_, reject) => setTimeout(reject, TIMEOUT_MS));
Promise.race([Promise.all([...styles, ...scripts]), timeout]).then(start, () => {
  document.getElementById('state').textContent =
    'The CDN cannot be reached, so there is no editor. The API itself answers at this address.';
});

import { ToolbarButton, useGraphiQL } from '@graphiql/react';

// What the address of the page asks to open; nothing runs before the button is pressed.
export function readLink() {
  const parameters = new URLSearchParams(location.search);
  const query = parameters.get('query');
  if (!query) return undefined;
  // Edits stay in the tab: loaded again, the page does not open the link a second time.
  history.replaceState(null, '', location.pathname);
  return { query, variables: parameters.get('variables') ?? '' };
}

// Copies a link to the query and its variables. Headers are not part of it.
export function CopyLink() {
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);

  const copy = async () => {
    const parameters = new URLSearchParams({ query: queryEditor?.getValue() ?? '' });
    const variables = variableEditor?.getValue();
    if (variables) parameters.set('variables', variables);
    const link = new URL(`${location.pathname}?${parameters}`, location.href);
    history.replaceState(null, '', link);
    // Browsers have no clipboard for pages that are served without TLS by another machine.
    await navigator.clipboard?.writeText(link.href);
  };

  return (
    <ToolbarButton onClick={copy} label="Copy link to this query">
      <svg className="graphiql-toolbar-icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
        <path d="M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1" strokeLinecap="round" />
      </svg>
    </ToolbarButton>
  );
}

import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';

const NAME = /^(?:query|mutation|subscription) (\w+)/m;

// A plugin that lists the examples; a click opens one in a tab.
export function examplesPlugin(examples) {
  return { title: 'Examples', icon: ExamplesIcon, content: () => <Examples examples={examples} /> };
}

function Examples({ examples }) {
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const tabs = useGraphiQL((state) => state.tabs);
  const { addTab, changeTab, setOperationName, setVisiblePlugin } = useGraphiQLActions();

  const open = ({ query, variables }) => {
    const name = query.match(NAME)[1];
    const index = tabs.findIndex((tab) => tab.title === name);
    if (index >= 0) {
      changeTab(index);
    } else {
      addTab();
      queryEditor?.setValue(query);
      variableEditor?.setValue(variables);
    }
    // The editor reports the new name later; until then the button would run the old one.
    setOperationName(name);
    // On a small screen the list covers the editor.
    if (innerWidth <= 700) setVisiblePlugin(null);
  };

  return (
    <section aria-label="Examples" className="gqlapi-examples">
      <h2>Examples</h2>
      <ul>
        {examples.map((example) => (
          <li key={example.query}>
            <button type="button" onClick={() => open(example)}>
              {example.query.match(NAME)[1]}
            </button>
            <p>{example.query.split('\n')[0].replace('# ', '')}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function ExamplesIcon(props) {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" {...props}>
      <path d="M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01" strokeLinecap="round" />
    </svg>
  );
}

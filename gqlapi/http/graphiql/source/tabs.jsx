import { useGraphiQL } from '@graphiql/react';
import { useEffect } from 'react';

// Scrolls the bar of tabs to the active one: GraphiQL leaves it out of sight when there are many.
export function ActiveTab() {
  const index = useGraphiQL((state) => state.activeTabIndex);
  const count = useGraphiQL((state) => state.tabs.length);
  useEffect(() => {
    document.querySelector('.graphiql-tab-active')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [index, count]);
  return null;
}

import { Suspense } from 'react';
import { Boundary } from './parts/boundary';
import { Header } from './parts/header';
import { Feed } from './pages/feed';
import { Desk } from './pages/desk';
import { EditPage } from './pages/edit';
import { NotFound } from './pages/not-found';
import { PostPage } from './pages/post';
import { SearchPage } from './pages/search';
import { SignInPage } from './pages/sign-in';
import { TagPage } from './pages/tag';
import { Trash } from './pages/trash';
import { WritePage } from './pages/write';
import { useAddress } from './router';

export function App() {
  const address = useAddress();
  return (
    <>
      <Boundary key="header">
        <Suspense fallback={<header />}>
          <Header />
        </Suspense>
      </Boundary>
      <main>
        <Boundary key={address.href}>
          <Suspense fallback={<p role="status">Loading…</p>}>
            <Page address={address} />
          </Suspense>
        </Boundary>
      </main>
    </>
  );
}

function Page({ address }: { address: URL }) {
  const [, page = '', name = ''] = address.pathname.split('/').map(decodeURIComponent);
  switch (page) {
    case '':
      return <Feed />;
    case 'post':
      return <PostPage slug={name} />;
    case 'tag':
      return <TagPage slug={name} />;
    case 'search':
      return <SearchPage query={address.searchParams.get('q') ?? ''} />;
    case 'sign-in':
      return <SignInPage />;
    case 'write':
      return <WritePage />;
    case 'edit':
      return <EditPage id={name} />;
    case 'desk':
      return <Desk />;
    case 'trash':
      return <Trash />;
    default:
      return <NotFound />;
  }
}

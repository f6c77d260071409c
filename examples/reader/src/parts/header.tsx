import { useState } from 'react';
import { client } from '../client';
import { graphql } from '../gql';
import { go, useAddress } from '../router';
import { forgetTokens } from '../session';
import { useViewer } from '../viewer';

const SignOut = graphql(`
  mutation SignOut($input: SignOutInput!) {
    signOut(input: $input) { signedOut }
  }
`);

export function Header() {
  const query = useAddress().searchParams.get('q') ?? '';
  return (
    <header>
      <a className="home" href="/">Reader</a>
      <form role="search" action="/search">
        <input key={query} type="search" name="q" defaultValue={query} aria-label="Search" placeholder="Search" required />
      </form>
      <nav aria-label="Main">
        <Account />
      </nav>
    </header>
  );
}

function Account() {
  const { viewer, canWrite } = useViewer();
  const [isLeaving, setLeaving] = useState(false);

  async function leave() {
    setLeaving(true);
    // The tokens are forgotten even when the server cannot be reached.
    await client.mutate({ mutation: SignOut, variables: { input: {} } }).catch(() => undefined);
    forgetTokens();
    await client.resetStore();
    go('/');
  }

  if (viewer === null) return <a href="/sign-in">Sign in</a>;
  return (
    <>
      {canWrite && <a href="/write">Write</a>}
      <a href="/desk">{viewer.displayName}</a>
      <button type="button" className="link" disabled={isLeaving} onClick={leave}>Sign out</button>
    </>
  );
}

import { Button, Dialog, VisuallyHidden } from '@graphiql/react';
import { useState, useSyncExternalStore } from 'react';

// The button that shows who is signed in, and its dialog.
export function Account({ session, demo }) {
  const [isOpen, setOpen] = useState(false);
  const user = JSON.parse(useSyncExternalStore(session.subscribe, session.snapshot))?.user;
  return (
    <>
      <Button type="button" className="gqlapi-account" onClick={() => setOpen(true)}>
        {user ? user.username : 'Sign in'}
      </Button>
      <Dialog open={isOpen} onOpenChange={setOpen}>
        <div className="graphiql-dialog-header">
          <Dialog.Title className="graphiql-dialog-title">{user ? `Signed in as ${user.username}` : 'Sign in'}</Dialog.Title>
          <VisuallyHidden>
            <Dialog.Description>Sign in for all tabs. The session is kept when the page is loaded again.</Dialog.Description>
          </VisuallyHidden>
          <Dialog.Close />
        </div>
        {isOpen && <Choices session={session} demo={demo} user={user} close={() => setOpen(false)} />}
      </Dialog>
    </>
  );
}

function Choices({ session, demo, user, close }) {
  const [error, setError] = useState('');
  const attempt = (action) => action().then(close, (reason) => setError(reason.message));
  const submit = (event) => {
    event.preventDefault();
    const { login, password, token } = Object.fromEntries(new FormData(event.currentTarget));
    attempt(() => (token ? session.acceptToken(token.trim()) : session.signIn(login, password)));
  };
  return (
    <div className="gqlapi-choices">
      {user && (
        <p>
          All tabs send the token of {user.username} ({user.role}), but for those that have an Authorization header.{' '}
          <Button type="button" onClick={() => attempt(session.signOut)}>
            Sign out
          </Button>
        </p>
      )}
      {demo && (
        <p>
          Demo users:{' '}
          {demo.logins.map((login) => (
            <Button key={login} type="button" onClick={() => attempt(() => session.signIn(login, demo.password))}>
              {login}
            </Button>
          ))}
        </p>
      )}
      <form onSubmit={submit}>
        <input name="login" aria-label="User name or e-mail address" placeholder="User name or e-mail address" autoComplete="username" />
        <input name="password" type="password" aria-label="Password" placeholder="Password" autoComplete="current-password" />
        <input name="token" aria-label="API token" placeholder="or an API token" autoComplete="off" />
        <Button type="submit">Sign in</Button>
      </form>
      {error && <p role="alert">{error}</p>}
    </div>
  );
}
